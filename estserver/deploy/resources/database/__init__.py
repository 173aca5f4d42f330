"""The database that the deployment makes: a cluster of Aurora DSQL, its roles, its backups."""
