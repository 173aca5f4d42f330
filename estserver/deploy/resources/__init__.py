"""AWS resources that the deployment makes, a module or folder for each kind.

They do not import each other.
"""
