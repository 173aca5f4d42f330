"""A bucket whose objects S3 keeps, from everybody who may not bypass its object lock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from estserver.deploy.engine.calls import Call, ask_if_any
from estserver.deploy.resources.buckets.bucket import Bucket, Settings


@dataclass(frozen=True)
class LockedBucket(Bucket):
    """A versioned bucket with object lock in governance mode.

    A version cannot be deleted or changed within ``locks_days``, but by a person with the right
    s3:BypassGovernanceRetention, which ``aws_destroy`` asks for.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
    """

    locks_days: int = 1
    """For how many days each new version is locked."""

    deletion_options: ClassVar[Mapping[str, Any]] = {"BypassGovernanceRetention": True}

    @property
    def retention(self) -> dict[str, Any]:
        """What locks each new version."""
        return {"Mode": "GOVERNANCE", "Days": self.locks_days}

    def look(self) -> Settings:
        """Read the bucket's settings, and its lock."""
        seen = super().look()
        if not seen.is_there or seen.is_foreign:
            return seen
        answer = ask_if_any("s3", "GetObjectLockConfiguration", Bucket=self.bucket)
        return replace(seen, lock=_retention(answer))

    def _create(self) -> Call:
        call = super()._create()
        return replace(call, parameters={**call.parameters, "ObjectLockEnabledForBucket": True})

    def _changes(self, seen: Settings) -> Iterator[Call]:
        yield from super()._changes(seen)
        if seen.lock != self.retention:
            lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": self.retention}}
            yield Call(
                "s3",
                "PutObjectLockConfiguration",
                f"new objects are not locked for {self.locks_days} days",
                {"Bucket": self.bucket, "ObjectLockConfiguration": lock},
            )


def _retention(answer: Any) -> Any:
    """Return mode and days, which are set here; one of days and years is empty."""
    found = ((answer or {}).get("ObjectLockConfiguration") or {}).get("Rule") or {}
    retention = found.get("DefaultRetention") or {}
    return {"Mode": retention.get("Mode"), "Days": retention.get("Days")}
