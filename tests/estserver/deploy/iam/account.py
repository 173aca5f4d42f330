"""What an account holds as far as IAM asks about it, learnt from the calls that were made."""

import json

from tests.estserver.deploy.iam.calls import PARTITION, SUFFIX, arn, arns, tags_in

ALREADY_THERE = {"TagResource", "TagRole", "UntagResource"}


class Account:
    """Tags, aliases, secrets, and policies of roles and buckets, call by call."""

    def __init__(self, number, templates=None):
        self.number = number
        self.templates = templates or {}
        """CloudFormation's templates, by the stack's name."""
        self.tags, self.aliases, self.secrets = {}, {}, {}
        self.role_policies, self.trust, self.functions = {}, {}, {}
        self.bucket_policies, self.key_policies = {}, {}

    def policies_of(self, function):
        """The policies of the role that a function runs with."""
        role = self.functions[function].rpartition("/")[2]
        return list(self.role_policies.get(role, {}).values())

    def key_arn(self, call, key):
        """The ARN of a key by its id, ARN or alias; "" if there is no key of that alias."""
        if ":alias/" in key:
            key = key[key.index("alias/") :]
        if key.startswith("alias/"):
            key = self.aliases.get((call.region, key), "")
        return key and arn(call, self.number, "kms", f"key/{key}", key)

    def aliases_of(self, key):
        """The aliases of a key, given by its ARN."""
        region, _, key_id = key.split(":", 5)[3:]
        return sorted(
            alias
            for (place, alias), target in self.aliases.items()
            if place == region and target.rpartition("/")[2] == key_id.rpartition("/")[2]
        )

    def secret_arn(self, call, secret):
        """The ARN of a secret, which has no suffix while no such secret exists."""
        if secret.startswith("arn:"):
            return secret
        suffix = SUFFIX if (call.region, secret) in self.secrets else ""
        return arn(call, self.number, "secretsmanager", f"secret:{secret}{suffix}")

    def learn(self, call):
        """Take over what a call changed."""
        if not call.succeeded:
            return
        parameters = call.parameters
        if learn := getattr(self, f"_{call.service}_{call.operation}", None):
            learn(call, parameters)
        elif tags := tags_in(parameters):
            for each in arns(call, self.number):
                self._tag(each, tags)

    def _tag(self, resource, tags):
        # A log group's ARN is known with and without the star at its end.
        self.tags.setdefault(resource.removesuffix(":*"), {}).update(tags)

    def _kms_CreateKey(self, call, parameters):
        self._tag(self.key_arn(call, call.answer["KeyId"]), tags_in(parameters))

    def _kms_CreateAlias(self, call, parameters):
        self.aliases[call.region, parameters["AliasName"]] = parameters["TargetKeyId"]

    def _kms_DeleteAlias(self, call, parameters):
        self.aliases.pop((call.region, parameters["AliasName"]), None)

    def _kms_PutKeyPolicy(self, call, parameters):
        policy = json.loads(parameters["Policy"])
        self.key_policies[self.key_arn(call, parameters["KeyId"])] = policy

    def _dsql_CreateCluster(self, call, parameters):
        self._tag(call.answer, tags_in(parameters))

    def _backup_CreateBackupPlan(self, call, parameters):
        self._tag(call.answer, tags_in(parameters))

    def _secretsmanager_CreateSecret(self, call, parameters):
        name = parameters["Name"]
        key = parameters.get("KmsKeyId", "")
        self.secrets[call.region, name] = self.key_arn(call, key) if key else ""
        self._tag(self.secret_arn(call, name), tags_in(parameters))

    def _iam_CreateRole(self, call, parameters):
        self.trust[parameters["RoleName"]] = json.loads(parameters["AssumeRolePolicyDocument"])
        self._tag(arns(call, self.number)[0], tags_in(parameters))

    def _iam_PutRolePolicy(self, call, parameters):
        named = self.role_policies.setdefault(parameters["RoleName"], {})
        named[parameters["PolicyName"]] = json.loads(parameters["PolicyDocument"])

    def _lambda_CreateFunction(self, call, parameters):
        self.functions[parameters["FunctionName"]] = parameters["Role"]
        self._tag(arns(call, self.number)[0], tags_in(parameters))

    def _s3_PutBucketPolicy(self, call, parameters):
        self.bucket_policies[parameters["Bucket"]] = json.loads(parameters["Policy"])

    def _s3_PutBucketTagging(self, call, parameters):
        found = parameters["Tagging"]["TagSet"]
        self._tag(arns(call, self.number)[0], {each["Key"]: each["Value"] for each in found})

    def resource_policy(self, resource):
        """The policy of the bucket or key that an ARN is about; ``None`` elsewhere.

        A new key has KMS's default policy, which hands every decision to IAM's policies:
        https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        """
        if resource.startswith(f"arn:{PARTITION}:s3:::"):
            return self.bucket_policies.get(resource.split(":::")[1].partition("/")[0])
        if resource in self.key_policies:
            return self.key_policies[resource]
        if ":kms:" in resource and ":key/" in resource:
            root = f"arn:{PARTITION}:iam::{self.number}:root"
            return {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": root},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            }
        return None
