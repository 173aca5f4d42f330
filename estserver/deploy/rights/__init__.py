"""IAM rights as data: of the functions, and of the person who deploys."""
