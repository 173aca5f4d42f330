"""A private, encrypted S3 bucket that is reached by TLS only."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError, RemoteFailure

NOT_PUBLIC = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
OWNERSHIP = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
_FORBIDDEN = "403"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a bucket has, each in the shape that its ``Put`` call takes; ``None`` if not set."""

    is_there: bool = False
    is_foreign: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    versioning: Any = None
    public_access: Any = None
    encryption: Any = None
    ownership: Any = None
    policy: Any = None
    logging: Any = None
    lifecycle: Any = None
    lock: Any = None


@dataclass(frozen=True)
class Bucket(Step[Settings]):
    """A private, encrypted bucket that is reached by TLS only."""

    deployment: Deployment
    bucket: str
    purpose: str
    is_versioned: bool = False
    logs_to: str = ""
    """The bucket to which S3 writes a log of the requests to this one."""
    keeps_days: int = 0
    """After how many days objects are deleted; 0 for never."""
    takes_logs: bool = False
    """Whether S3 writes its logs to this bucket."""

    deletion_options: ClassVar[Mapping[str, Any]] = {}
    """Further parameters of the call that deletes objects."""

    advice = {
        "BucketAlreadyExists": "Another account has a bucket of that name. Choose another name in "
        "DeploymentOptions (truststoreBucket, packageBucket).",
        "BucketAlreadyOwnedByYou": "It was made a moment ago, perhaps by another run.",
        "BucketNotEmpty": "S3 has written to it meanwhile, as it does to a log bucket for some "
        "hours. Run the command again.",
        "OperationAborted": "S3 is still deleting a bucket of that name. Wait some minutes.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.purpose} bucket"

    def look(self) -> Settings:
        """Read the bucket's settings."""
        try:
            there = ask_if_any("s3", "HeadBucket", Bucket=self.bucket)
        except RemoteFailure as error:
            if error.code != _FORBIDDEN:
                raise
            return Settings(is_there=True, is_foreign=True)
        if there is None:
            return Settings()
        tagging = self._setting("GetBucketTagging", "TagSet") or []
        policy = self._setting("GetBucketPolicy", "Policy")
        lifecycle = self._setting("GetBucketLifecycleConfiguration", "Rules")
        logging = self._setting("GetBucketLogging", "LoggingEnabled")
        return Settings(
            is_there=True,
            tags=tags_of(tagging),
            versioning=self._setting("GetBucketVersioning", "Status"),
            public_access=self._setting("GetPublicAccessBlock", "PublicAccessBlockConfiguration"),
            encryption=_algorithm(
                self._setting("GetBucketEncryption", "ServerSideEncryptionConfiguration")
            ),
            ownership=self._setting("GetBucketOwnershipControls", "OwnershipControls"),
            policy=json.loads(policy) if policy else None,
            logging=logging and logging.get("TargetBucket"),
            lifecycle=lifecycle and [rule.get("ID") for rule in lifecycle],
        )

    def _setting(self, operation: str, key: str) -> Any:
        answer = ask_if_any("s3", operation, Bucket=self.bucket)
        return None if answer is None else answer.get(key)

    def plan(self, seen: Settings) -> Plan:
        """Make the bucket, and set what differs.

        Raises ``OperatorError`` for a bucket of another account or project.
        """
        if seen.is_foreign:
            # Not a mere note, because the truststore would be in the hands of another account.
            raise OperatorError(
                f"The bucket {self.bucket} belongs to another account, or you may not see it. "
                "Choose another name in DeploymentOptions (truststoreBucket, packageBucket), or "
                "let the role or user that this runs as call s3:ListBucket."
            )
        if not seen.is_there:
            return Plan((self._create(), *self._changes(Settings())))
        self.deployment.refuse_of_another(
            f"The bucket {self.bucket}",
            seen.tags,
            "Choose another name in DeploymentOptions (truststoreBucket, packageBucket).",
        )
        changes = tuple(self._changes(seen))
        if self._is_ours(seen) or not changes:
            return Plan(changes)
        differences = "; ".join(call.reason for call in changes)
        note = f"The bucket {self.bucket} was there before, and is left as it is: {differences}."
        return Plan(notes=(note,))

    def _is_ours(self, seen: Settings) -> bool:
        """Whether it carries the tag, or is an untagged one of a run that was cut off."""
        has_our_name = self.bucket.endswith(f"-{self.deployment.account}-{self.deployment.region}")
        return self.deployment.is_ours(seen.tags) or (has_our_name and not seen.tags)

    def _create(self) -> Call:
        parameters: dict[str, Any] = {"Bucket": self.bucket}
        if self.deployment.region != "us-east-1":  # S3 refuses this region's name
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": self.deployment.region}
        return Call("s3", "CreateBucket", f"there is no bucket {self.bucket}", parameters)

    def _changes(self, seen: Settings) -> Iterator[Call]:
        def put(operation: str, reason: str, key: str, value: Any) -> Call:
            return Call("s3", operation, reason, {"Bucket": self.bucket, key: value})

        tags = {**seen.tags, **self.deployment.tags()}
        if seen.tags != tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            yield put("PutBucketTagging", "tags are missing", "Tagging", {"TagSet": listed})
        if seen.public_access != NOT_PUBLIC:
            yield put(
                "PutPublicAccessBlock",
                "public access is not blocked",
                "PublicAccessBlockConfiguration",
                NOT_PUBLIC,
            )
        if seen.ownership != OWNERSHIP:
            yield put(
                "PutBucketOwnershipControls",
                "objects may belong to others",
                "OwnershipControls",
                OWNERSHIP,
            )
        if seen.encryption != _algorithm(ENCRYPTION):
            yield put(
                "PutBucketEncryption",
                "its encryption differs",
                "ServerSideEncryptionConfiguration",
                ENCRYPTION,
            )
        if self.is_versioned and seen.versioning != "Enabled":
            yield put(
                "PutBucketVersioning",
                "old versions are not kept",
                "VersioningConfiguration",
                {"Status": "Enabled"},
            )
        policy = self.policy()
        if seen.policy != policy:
            yield put("PutBucketPolicy", "its policy differs", "Policy", json.dumps(policy))
        yield from self._logs_and_lifecycle(seen, put)

    def _logs_and_lifecycle(
        self, seen: Settings, put: Callable[[str, str, str, Any], Call]
    ) -> Iterator[Call]:
        if self.logs_to and seen.logging != self.logs_to:
            target = {"TargetBucket": self.logs_to, "TargetPrefix": f"{self.bucket}/"}
            yield put(
                "PutBucketLogging",
                "requests to it are not logged",
                "BucketLoggingStatus",
                {"LoggingEnabled": target},
            )
        rule = f"expire-after-{self.keeps_days}-days"
        if self.keeps_days and seen.lifecycle != [rule]:
            expiry = {
                "ID": rule,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": self.keeps_days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
            if self.is_versioned:  # there, an expired object stays as an old version
                expiry["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}
            yield put(
                "PutBucketLifecycleConfiguration",
                f"objects are not deleted after {self.keeps_days} days",
                "LifecycleConfiguration",
                {"Rules": [expiry]},
            )

    def policy(self) -> dict[str, Any]:
        """Return its policy: TLS for all clients, and the right to write for S3's log delivery."""
        arn = f"arn:{self.deployment.partition}:s3:::{self.bucket}"
        statements: list[dict[str, Any]] = [
            {
                "Sid": "OnlyByTLS",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
        if self.takes_logs:
            statements.append(
                {
                    "Sid": "LogsOfS3",
                    "Effect": "Allow",
                    "Principal": {"Service": "logging.s3.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": f"{arn}/*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": self.deployment.account}},
                }
            )
        return {"Version": "2012-10-17", "Statement": statements}

    def undo(self, seen: Settings) -> Plan:
        """Delete all versions of its objects, a thousand a round, then the bucket."""
        if not seen.is_there or seen.is_foreign or not self._is_ours(seen):
            return DONE
        listed = ask("s3", "ListObjectVersions", Bucket=self.bucket, MaxKeys=1000)
        objects = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for each in listed.get(kind, [])
        ]
        calls = []
        if objects:
            more = " and more" if listed.get("IsTruncated") else ""
            reason = f"{self.bucket} holds {len(objects)} objects{more}"
            parameters = {"Bucket": self.bucket, "Delete": {"Objects": objects, "Quiet": True}}
            parameters |= self.deletion_options
            calls.append(Call("s3", "DeleteObjects", reason, parameters))
        if not listed.get("IsTruncated"):
            reason = f"the bucket {self.bucket} was made by aws_deploy"
            calls.append(Call("s3", "DeleteBucket", reason, {"Bucket": self.bucket}))
        return Plan(tuple(calls))


def _algorithm(encryption: Any) -> Any:
    """Return the part of an encryption setting that is set here; S3 adds fields of its own."""
    rules = (encryption or {}).get("Rules") or [{}]
    return rules[0].get("ApplyServerSideEncryptionByDefault")
