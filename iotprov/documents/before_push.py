"""What a person is told, and asked, before a document is pushed to a target."""

from dataclasses import dataclass

from iotprov.conf import IoTTarget
from iotprov.documents import aws_documents
from iotprov.documents.aws_documents import MAX_VERSIONS
from iotprov.documents.comparison import unified_diff
from iotprov.documents.place_warnings import place_warnings
from iotprov.documents.push import default_version
from iotprov.documents.versions import Kind, body_for, body_in_force, name_of, number_in_force
from iotprov.policy.breadth import allows_everything
from pki.operators.errors import OperatorError


def name_to_type(kind: str, body: str) -> str:
    """Return the name that a person types back before ``body`` is pushed; "" for none.

    It is asked for a policy that allows every action of AWS IoT.
    """
    return name_of(kind) if kind == Kind.POLICY and allows_everything(body) else ""


def refuse_unseen(kind: str, number: int) -> None:
    """Raise ``OperatorError`` unless version ``number`` (0: the file) is still in force.

    A person pushes what the page showed, and not what another person has saved since.
    """
    now = number_in_force(kind)
    if now != number:
        seen, found = (f"v{one}" if one else "the configured file" for one in (number, now))
        raise OperatorError(
            f"{found} of {name_of(kind)} is in force by now, and this page was about {seen}. "
            "Nothing was pushed. Look at what changed, then push again."
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What a push would change at one target, by what AWS has now."""

    diff: str
    """From AWS's text to the text in force; "" if they are the same."""
    falls_out: str
    """The version that AWS IoT would lose by the push; "" for none."""
    warnings: tuple[str, ...]

    @property
    def falls_out_in_words(self) -> str:
        """Return a sentence about the version that falls out; "" for none."""
        if not self.falls_out:
            return ""
        return (
            f"AWS keeps {MAX_VERSIONS} versions and has as many. A push deletes version "
            f"{self.falls_out}, the oldest that is not in force."
        )


def look(kind: str, target: IoTTarget) -> Look:
    """Ask AWS what a push would change at ``target``. Nothing changes.

    Raises ``DocumentError`` for a document that cannot be used, and ``RemoteFailure``.
    """
    found = default_version(kind, target)
    changes = unified_diff(kind, target, found, body_for(kind, target))
    falls_out = ""
    if found is not None and changes:
        version_to_delete = (
            aws_documents.policy_version_to_delete
            if kind == Kind.POLICY
            else aws_documents.template_version_to_delete
        )
        falls_out = version_to_delete(target, name_of(kind))
    return Look(changes, falls_out, place_warnings(kind, target, body_in_force(kind)))
