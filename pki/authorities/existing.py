"""Putting CAs on record that a signer keeps already: those of a CDK sample's deployment."""

from cryptography import x509

from pki.authorities.lifecycle import free_name, import_authority
from pki.conf import pki_settings, setting_name
from pki.csr.subjects import name_text
from pki.encoding.certificates import fingerprint_of
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.signers import ExistingAuthority, KeySigner, get_signer

Purpose = CertificateAuthority.Purpose

EXTERNAL = "external"
"""The alias of the signer that reaches a PKI outside."""


def existing_authority(purpose: Purpose, alias: str) -> ExistingAuthority | None:
    """What the signer keeps under the configured names; ``None`` for most signers.

    Raises ``OperatorError`` when what is there doesn't fit together or can't be had.
    """
    signer = get_signer(alias)
    return signer.existing_authority(purpose) if isinstance(signer, KeySigner) else None


def adopt(
    purpose: Purpose,
    kept: ExistingAuthority | None,
    alias: str,
    existing: CertificateAuthority | None,
    *,
    actor: Actor,
    force: bool,
) -> str | None:
    """Put ``kept`` on record, unless it is: returns its name and what was done, else ``None``.

    With ``force`` it succeeds ``existing``. Raises ``OperatorError`` for a CA that can't be used,
    or that isn't ``existing``.
    """
    if kept is None or not kept.certificates or on_record(kept.certificates[0]) is not None:
        return None
    if existing is not None and not force:
        raise OperatorError(
            f"the {purpose} CA {existing} is on record, and {kept.where} holds another: run "
            "bootstrap_cas --force to let that one succeed it"
        )
    ca = import_authority(
        purpose,
        free_name(f"{purpose}-ca"),
        list(kept.certificates),
        key=None,
        signer=alias if kept.key_reference else _outside(purpose, kept),
        key_reference=kept.key_reference,
        actor=actor,
        successor_of=existing,
    )
    signed = "" if kept.key_reference else f", signed by the PKI behind the signer {ca.signer!r}"
    return f"{ca}: adopted from {kept.where}, {ca.key_algorithm}{signed}"


def on_record(certificate: x509.Certificate) -> CertificateAuthority | None:
    """The CA of this very certificate; ``None`` when it isn't on record."""
    fingerprint = fingerprint_of(certificate)
    return CertificateAuthority.objects.filter(fingerprint_sha256=fingerprint).first()


def _outside(purpose: Purpose, kept: ExistingAuthority) -> str:
    """The signer for a CA whose key is a PKI's outside."""
    subject = name_text(kept.certificates[0].subject)
    if purpose == Purpose.CLIENT:
        raise OperatorError(
            f"{kept.where} holds the certificate of {subject} and no key: put the key there; or, "
            "for a CA whose clients are only trusted, name its certificate's file in "
            f"{setting_name('client_ca.truststore_path')}"
        )
    if EXTERNAL not in pki_settings().signers:
        raise OperatorError(
            f"{kept.where} holds the certificate of {subject}, and no secret holds its key: put "
            f"the key into the secret that {setting_name('device_ca.key_secret_name')} names; or, "
            f"for a PKI outside that signs, set {setting_name('external_signer_class')}"
        )
    return EXTERNAL
