"""AWS resources that the deployment makes, a module a kind. They do not import each other."""
