"""The record of pushes: what each target has of a document, and the last failure."""

from typing import Any

from django.utils import timezone

from iotprov.conf import IoTTarget
from iotprov.documents.versions import name_of
from iotprov.models import DocumentPush, DocumentVersion
from iotprov.models.documents import sha256_of
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction


def record_push(
    kind: str,
    target: IoTTarget,
    version: DocumentVersion | None,
    body: str,
    *,
    aws_version: str,
    changes: tuple[str, ...] | None,
    actor: Actor,
) -> None:
    """Record that ``target`` has ``body``. ``changes``, unless ``None``, go to the audit trail.

    ``version`` is ``None`` if ``body`` is the configured file's.
    """

    def write() -> None:
        _write(
            kind,
            target,
            version=version,
            body_sha256=sha256_of(body),
            aws_version=aws_version,
            error="",
            pushed_at=timezone.now(),
        )
        if changes is not None:
            audit_trail.record(
                f"push-iot-{kind}",
                actor=actor,
                target=f"iot-{kind}:{name_of(kind)}@{target.name}",
                after={
                    "number": version.number if version else None,
                    "aws_version": aws_version,
                    "notes": list(changes),
                },
            )

    in_write_transaction(write)


def record_failed_push(kind: str, target: IoTTarget, error: OperatorError) -> None:
    """Record the failure. What the target has by earlier pushes stays on record."""
    in_write_transaction(lambda: _write(kind, target, error=str(error)[:1000]))


def _write(kind: str, target: IoTTarget, **values: Any) -> None:
    """Update the target's row, or create it.

    Of two processes that create it, one violates the unique constraint. ``in_write_transaction``
    runs that one again, and it finds the row.
    """
    key = {"kind": kind, "name": name_of(kind), "target": target.name}
    if not DocumentPush.objects.filter(**key).update(**values):
        DocumentPush.objects.create(**key, **values)
