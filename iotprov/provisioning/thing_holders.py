"""Which devices a thing of AWS IoT belongs to, so that two names never share one (threat T47).

A thing has one shadow and one set of topics and jobs, and every certificate attached to it can use
them. So a certificate is attached to an existing thing only if the record says that the thing is
this device's, or if no certificate of another name is attached to it.
"""

from cryptography.x509.oid import NameOID

from iotprov.exceptions import ThingInUse
from iotprov.models import Provisioning
from iotprov.provisioning.iot_certificates import Registry
from pki.csr.thing_names import fold_name, shown
from pki.encoding.reading import UNREADABLE, read_certificate_pem
from pki.models import IssuedCertificate

_CERTIFICATE = ":cert/"
"""Stands before the ID in the ARN of a certificate. Other principals are Amazon Cognito identities,
which are people or apps, and no devices."""


def check_thing(registry: Registry, thing_name: str, certificate: IssuedCertificate) -> str:
    """Return what is known of the existing thing, as a sentence, if it is free for ``certificate``.

    Raises ``ThingInUse`` if a certificate of another name is attached to it, and ``RemoteFailure``.
    """
    # Step 1: the record. It says so after an earlier certificate of this name was attached.
    rows = Provisioning.objects.filter(
        target=registry.target.name,
        thing_name=thing_name,
        certificate__name_folded=certificate.name_folded,
    )
    if rows.exclude(settled_at=None).exists():
        return f"The thing {thing_name} existed. It is on record as this device's."

    # Step 2: the certificates that are attached to it.
    attached = _attached(registry, thing_name)
    ids = [each for each in attached if each != certificate.fingerprint_sha256]
    if not ids:
        return f"The thing {thing_name} existed, and no other certificate was attached to it."
    on_record = dict(
        IssuedCertificate.objects.filter(fingerprint_sha256__in=ids).values_list(
            "fingerprint_sha256", "common_name"
        )
    )
    for each in ids:
        name = on_record[each] if each in on_record else _name_in_aws(registry, each)
        if fold_name(name) != certificate.name_folded:
            raise ThingInUse(
                f"The thing {thing_name} at the target {registry.target.name} belongs to another "
                f"device: the certificate {each[:16]}... of {_in_words(name)} is attached to it, "
                f"and this one is of {shown(certificate.common_name)}. Two devices cannot share a "
                "thing. Detach that certificate in AWS IoT if the thing is this device's. "
                "Otherwise enroll under another name.",
                is_attached=len(ids) < len(attached),
            )
    return f"The thing {thing_name} existed, with certificates of this device's name only."


def _attached(registry: Registry, thing_name: str) -> list[str]:
    """Return the IDs of the certificates that are attached to the thing."""
    principals = registry.list_all("list_thing_principals", "principals", thingName=thing_name)
    return [
        principal.rpartition(_CERTIFICATE)[2]
        for principal in principals
        if _CERTIFICATE in principal
    ]


def _name_in_aws(registry: Registry, certificate_id: str) -> str:
    """Return the common name of a certificate that only AWS IoT has; "" if it has none."""
    remote = registry.find(certificate_id)
    if remote is None:
        return ""
    try:
        subject = read_certificate_pem(remote.pem.encode()).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE:  # AWS IoT takes what this server does not
        return ""
    return str(names[0].value) if len(names) == 1 else ""


def _in_words(name: str) -> str:
    return shown(name) if name else "no single common name"
