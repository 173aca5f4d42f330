"""The three worlds of certificates: the server's own, those of clients, and those of devices.

People mix them up, because all three are X.509. Each world is a list of trees: who issues, and what
that leads to. Page, picture, table and ``cas worlds`` show the same trees.
"""

import datetime
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from iotprov.conf import iot_settings
from iotprov.models import CARegistration
from pki.admin.authorities import status_of
from pki.admin.display import page_of
from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA

MOST_READ: Final = 100
"""CAs and profiles of each kind. An installation has a handful."""

Purpose = CertificateAuthority.Purpose
_SETTINGS: Final = "estserver.view_settings"
_CAS: Final = "pki.view_certificateauthority"
_PROFILES: Final = "pki.view_certificateprofile"
_REGISTRATIONS: Final = "iotprov.view_caregistration"
_TARGETS: Final = "iotprov.view_provisioning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A certificate, or what it is for: a name of this installation, and its state."""

    what: str
    name: str
    state: str
    """A word, such as ``Active``; "" if there is none to say."""
    kind: str
    """The kind of chip that shows the state."""
    until: datetime.datetime | None = None
    url: str = ""
    permission: str = ""
    """What a person needs to open ``url``."""
    leads_to: "tuple[Node, ...]" = ()


@dataclass(frozen=True, slots=True)
class World:
    """One of the three, with a sentence on what its certificates are for."""

    title: str
    said: str
    empty: str
    nodes: tuple[Node, ...]
    is_shortened: bool = False


def read_worlds() -> tuple[World, World, World]:
    """Return the three worlds, by three statements and without a call to AWS."""
    cas = list(
        CertificateAuthority.objects.exclude(status__in=CertificateAuthority.UNTRUSTED)
        .defer("pem", "chain_pem", "cross_pem", "crl_der")
        .order_by("purpose", "status", "-not_after", "name")[: 2 * MOST_READ + 1]
    )
    profiles = list(
        CertificateProfile.objects.exclude(active_label=None).order_by("name")[:MOST_READ]
    )
    registered = _registrations() if any(ca.purpose == Purpose.DEVICE for ca in cas) else {}
    clients = [ca for ca in cas if ca.purpose == Purpose.CLIENT]
    devices = [ca for ca in cas if ca.purpose == Purpose.DEVICE]
    return (
        World(
            gettext_noop("The server"),
            gettext_noop("Devices and clients verify with it that they talk to this server."),
            gettext_noop("No certificate of the server is known here. manage.py runest makes one."),
            _server_certificates(),
        ),
        World(
            gettext_noop("Clients"),
            gettext_noop(
                "What a factory or a person shows to be let in, before a device has a certificate."
            ),
            gettext_noop("There is no client CA. manage.py bootstrap_cas makes or imports one."),
            tuple(_client_ca(ca, profiles) for ca in clients[:MOST_READ]),
            len(clients) > MOST_READ,
        ),
        World(
            gettext_noop("Devices"),
            gettext_noop("What devices get here, and show to AWS IoT and at their renewal."),
            gettext_noop("There is no device CA. manage.py bootstrap_cas makes or imports one."),
            tuple(_device_ca(ca, profiles, registered) for ca in devices[:MOST_READ]),
            len(devices) > MOST_READ,
        ),
    )


def _server_certificates() -> tuple[Node, ...]:
    nodes = []
    properties = settings.CONFIG.properties
    if properties.api_custom_domain_name:
        # ACM renews it, and AWS is not asked for each page.
        domain = Node(
            what="EST domain", name=properties.api_custom_domain_name, state="At API Gateway",
            kind="good", url=reverse("admin:console_settings"), permission=_SETTINGS,
        )  # fmt: skip
        issuer = properties.api_certificate_arn or "AWS Certificate Manager"
        nodes.append(Node(what="Issuer", name=issuer, state="", kind="past", leads_to=(domain,)))
    if not settings.IS_LAMBDA:
        nodes += _of_this_machine(Path(settings.EST_DATA_DIR))
    return tuple(nodes)


def _of_this_machine(directory: Path) -> list[Node]:
    """Return the local server's certificate below its issuer; nothing if there is none to read."""
    # Imported here, because an admin in AWS serves without TLS of its own.
    from estserver.local_server.server_certificate import ServerCertificateFiles
    from pki.csr.subjects import name_text
    from pki.encoding.certificates import san_of
    from pki.encoding.reading import UNREADABLE, read_certificate_pem

    try:
        content = ServerCertificateFiles.within(directory).certificate.read_bytes()
        certificate = read_certificate_pem(content)
        names = [str(one.value) for one in san_of(certificate.extensions) or ()]
        subject, issuer = name_text(certificate.subject), name_text(certificate.issuer)
    except (OSError, *UNREADABLE):
        return []
    until = certificate.not_valid_after_utc
    is_over = until <= timezone.now()
    served = Node(
        what="Server certificate", name=", ".join(names) or subject, until=until,
        state="Expired" if is_over else "Valid", kind="over" if is_over else "good",
        url=reverse("admin:console_settings"), permission=_SETTINGS,
    )  # fmt: skip
    return [Node(what="Issuer", name=issuer, state="", kind="past", leads_to=(served,))]


def _client_ca(ca: CertificateAuthority, profiles: list[CertificateProfile]) -> Node:
    accepting = (one for one in profiles if {ca.name, EVERY_CLIENT_CA} & {*one.client_cas})
    return _authority(ca, tuple(_profile(one, "lets its clients in") for one in accepting))


def _device_ca(
    ca: CertificateAuthority,
    profiles: list[CertificateProfile],
    registered: dict[object, dict[str, CARegistration]],
) -> Node:
    at = registered.get(ca.pk, {})
    issuing = (one for one in profiles if one.ca_id == ca.pk)
    return _authority(
        ca, tuple(_profile(one, "issues from it", _of_targets(one, at)) for one in issuing)
    )


def _of_targets(
    profile: CertificateProfile, registered: dict[str, CARegistration]
) -> tuple[Node, ...]:
    if profile.iot_provisioning == "none":
        return ()
    return tuple(
        _target(target.name, registered.get(target.name)) for target in iot_settings().targets
    )


def _target(name: str, row: CARegistration | None) -> Node:
    is_there = row is not None and row.state == CARegistration.State.REGISTERED
    return Node(
        what="AWS IoT", name=name, state="Registered" if is_there else "Not registered",
        kind="good" if is_there else "soon",
        url=page_of(row) if row else reverse("admin:console_targets"),
        permission=_REGISTRATIONS if row else _TARGETS,
    )  # fmt: skip


def _registrations() -> dict[object, dict[str, CARegistration]]:
    """Return the registrations of each CA by target. A CA has one row for each."""
    found: dict[object, dict[str, CARegistration]] = defaultdict(dict)
    for row in CARegistration.objects.order_by("ca_id", "target")[: MOST_READ * MOST_READ]:
        found[row.ca_id][row.target] = row
    return found


def _authority(ca: CertificateAuthority, leads_to: tuple[Node, ...]) -> Node:
    state, kind = status_of(ca)
    return Node(
        what=ca.get_purpose_display() if ca.signer else "Client CA, trusted only", name=ca.name,
        state=state, kind=kind, until=ca.not_after, url=page_of(ca), permission=_CAS,
        leads_to=leads_to,
    )  # fmt: skip


def _profile(profile: CertificateProfile, what: str, leads_to: tuple[Node, ...] = ()) -> Node:
    return Node(
        what=f"Profile, {what}", name=profile.name, state="", kind="good", url=page_of(profile),
        permission=_PROFILES, leads_to=leads_to,
    )  # fmt: skip
