"""What AWS IoT itself says of one device: its thing, certificates, policies and connection.

Only an operator's request asks it. Whatever AWS refuses is a sentence, and the rest is shown.
"""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

from iotprov.client import is_code
from iotprov.conf import IoTTarget
from iotprov.provisioning.iot_certificates import NOT_FOUND, Registry
from pki.aws.clients import READ_TIMEOUT
from pki.operators.errors import RemoteFailure

T = TypeVar("T")

_PATIENCE = READ_TIMEOUT - 2  # seconds for a call, which is then not repeated: a person waits
_MOST_CERTIFICATES = 10
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedException")
_NOT_INDEXED = ("IndexNotReadyException", "InvalidRequestException", NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Connection:
    """Whether a device is connected, as fleet indexing has it."""

    is_connected: bool
    since: datetime.datetime | None
    """Of the last connection or its end; ``None`` if it never connected."""
    reason: str = ""
    """Why it was disconnected, in AWS's words."""


@dataclass(slots=True)
class RemoteDevice:
    """A device at one target."""

    target: str
    thing_name: str
    has_thing: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    thing_type: str = ""
    groups: Sequence[str] = ()
    certificates: list[tuple[str, str]] = field(default_factory=list)
    """ID and status of those that are attached to the thing."""
    policies: list[tuple[str, str]] = field(default_factory=list)
    """Name and JSON text of those that decide what the device may do."""
    connection: Connection | None = None
    failures: list[str] = field(default_factory=list)
    """A sentence for each part that AWS did not tell."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return json.loads(json.dumps(asdict(self), default=str))  # type: ignore[no-any-return]


def ask_aws_iot(target: IoTTarget, thing_name: str, certificate_id: str) -> RemoteDevice:
    """Return what AWS IoT at ``target`` says now of a thing and of a certificate.

    Raises nothing of AWS's. After a failure other than a missing right, no call is made any more,
    because the next would fail too.
    """
    return _Asking(target, thing_name, certificate_id).run()


class _Asking:
    """The calls for one device, in their order."""

    def __init__(self, target: IoTTarget, thing_name: str, certificate_id: str) -> None:
        self._registry = Registry(target, read_timeout=_PATIENCE)
        self._certificate_id = certificate_id
        self._found = RemoteDevice(target.name, thing_name)
        self._arn = ""  # of the certificate, once AWS IoT has said that it knows it
        self._is_over = False

    def run(self) -> RemoteDevice:
        for step in (self._thing, self._groups, self._certificates, self._policies):
            if not self._is_over:
                step()
        if self._found.has_thing and not self._is_over:
            self._connection()
        return self._found

    def _thing(self) -> None:
        said = self._ask(
            lambda: self._registry.call("describe_thing", thingName=self._found.thing_name)
        )
        if said is None:
            return
        self._found.has_thing = True
        self._found.attributes = said.get("attributes", {})
        self._found.thing_type = said.get("thingTypeName", "")

    def _groups(self) -> None:
        if self._found.has_thing:
            groups = self._ask(
                lambda: self._registry.list_all(
                    "list_thing_groups_for_thing", "thingGroups", thingName=self._found.thing_name
                )
            )
            self._found.groups = [group["groupName"] for group in groups or ()]

    def _certificates(self) -> None:
        attached: list[str] = []
        if self._found.has_thing:
            attached = (
                self._ask(
                    lambda: self._registry.list_all(
                        "list_thing_principals", "principals", thingName=self._found.thing_name
                    )
                )
                or []
            )
        ids = [arn.rpartition(":cert/")[2] for arn in attached if ":cert/" in arn]
        for one in dict.fromkeys([*ids[:_MOST_CERTIFICATES], self._certificate_id]):
            remote = self._ask(partial(self._registry.find, one)) if one else None
            if remote is not None:
                is_attached = "" if one in ids else ", not attached to the thing"
                self._found.certificates.append((one, f"{remote.status}{is_attached}"))
                if one == self._certificate_id:
                    self._arn = remote.arn

    def _policies(self) -> None:
        """Ask for the policies of the certificate and of the thing's groups.

        https://docs.aws.amazon.com/iot/latest/apireference/API_GetEffectivePolicies.html
        """
        if not self._arn:
            return
        thing = {"thingName": self._found.thing_name} if self._found.has_thing else {}
        said = self._ask(
            lambda: self._registry.call("get_effective_policies", principal=self._arn, **thing)
        )
        for policy in (said or {}).get("effectivePolicies", ()):
            body = policy.get("policyDocument", "")
            self._found.policies.append((policy.get("policyName", ""), _readable(body)))

    def _connection(self) -> None:
        """Ask fleet indexing, which an account has switched on or has not.

        https://docs.aws.amazon.com/iot/latest/developerguide/device-connectivity-status.html
        """
        try:
            said = self._registry.call(
                "get_thing_connectivity_data", thingName=self._found.thing_name
            )
        except RemoteFailure as error:
            self._found.failures.append(
                "AWS IoT does not tell whether the device is connected, because fleet indexing "
                "with thingConnectivityIndexingMode STATUS is off in this account and region."
                if is_code(error, *_NOT_INDEXED)
                else str(error)
            )
            return
        self._found.connection = Connection(
            bool(said.get("connected")), said.get("timestamp"), said.get("disconnectReason", "")
        )

    def _ask(self, call: Callable[[], T]) -> T | None:
        """Return the answer to a call; ``None`` for what is not there, or after a failure."""
        if self._is_over:
            return None
        try:
            return call()
        except RemoteFailure as error:
            if is_code(error, NOT_FOUND):
                return None
            self._found.failures.append(str(error))
            self._is_over = not is_code(error, *_DENIED)
            return None


def _readable(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
