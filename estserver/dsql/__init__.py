"""A database backend of Django's: Aurora DSQL, which the deployment to AWS makes by itself.

AWS's own adapter says what DSQL's SQL is like (``aurora_dsql_django``). What is here beside it: the
login, the schema from an empty cluster, and the rights of the functions' database roles.
"""
