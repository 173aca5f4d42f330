"""Put a CA on record that a signer has already, as one of a CDK sample's deployment has."""

from pki.authorities.authority_rows import Purpose, free_name
from pki.authorities.import_ca import import_authority
from pki.conf import pki_settings, setting_name
from pki.csr.subjects import name_text
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.find import authority_with_certificate
from pki.signers import ExistingAuthority, KeySigner, get_signer
from pki.signers.external import ExternalSigner


def existing_authority(purpose: Purpose, alias: str) -> ExistingAuthority | None:
    """Return the CA that a signer with keys has under the configured names, if any.

    Raises ``OperatorError`` when its parts do not fit together, or it cannot be read.
    """
    signer = get_signer(alias)
    return signer.existing_authority(purpose) if isinstance(signer, KeySigner) else None


def adopt(
    purpose: Purpose,
    found: ExistingAuthority | None,
    alias: str,
    existing: CertificateAuthority | None,
    *,
    actor: Actor,
    force: bool,
) -> str | None:
    """Put ``found`` on record, unless it is there. Return what was done, if anything.

    With ``force`` it succeeds ``existing``. Raises ``OperatorError`` for a CA that cannot be used,
    or that is not ``existing``.
    """
    if (
        found is None
        or not found.certificates
        or authority_with_certificate(found.certificates[0]) is not None
    ):
        return None
    if existing is not None and not force:
        raise another_is_on_record(existing, found.where)
    ca = import_authority(
        purpose,
        free_name(f"{purpose}-ca"),
        list(found.certificates),
        key=None,
        signer=alias if found.key_reference else _signer_outside(purpose, found),
        key_reference=found.key_reference,
        actor=actor,
        successor_of=existing,
    )
    signed = "" if found.key_reference else f", signed by the PKI behind the signer {ca.signer!r}"
    return f"{ca}: adopted from {found.where}, {ca.key_algorithm}{signed}"


def another_is_on_record(existing: CertificateAuthority, where: str) -> OperatorError:
    """Return the refusal of a CA that is not the one on record, at a run without ``force``."""
    return OperatorError(
        f"The {existing.purpose} CA {existing} is on record, and {where} holds another. Run "
        "bootstrap_cas --force to let that one succeed it."
    )


def _signer_outside(purpose: Purpose, found: ExistingAuthority) -> str:
    """Return the alias of the signer for a CA whose key is in a PKI outside."""
    subject = name_text(found.certificates[0].subject)
    if purpose == Purpose.CLIENT:
        raise OperatorError(
            f"There is the certificate of {subject} in {found.where}, and no key. Put the key "
            "there. Or, for a CA whose clients are only trusted, name its certificate's file in "
            f"{setting_name('client_ca.truststore_path')}."
        )
    if ExternalSigner.ALIAS not in pki_settings().signers:
        raise OperatorError(
            f"There is the certificate of {subject} in {found.where}, and no secret holds its "
            "key. Put the key into the secret that "
            f"{setting_name('device_ca.key_secret_name')} names. Or, for a PKI outside that signs, "
            f"set {setting_name('external_signer_class')}."
        )
    return ExternalSigner.ALIAS
