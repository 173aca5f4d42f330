"""The AWS platform: clients and secrets. The only room that imports boto3."""
