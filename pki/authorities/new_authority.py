"""What a new CA has to be: checks that services, pages and commands ask before anything is made.

Each function raises ``OperatorError`` for the one setting that it is about, so a form shows the
sentence at that field.
"""

import datetime
import re
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authorities.authority_rows import Purpose
from pki.authorities.ca_certificates import check_ca_certificate, check_chain
from pki.authorities.signer_keys import key_signer
from pki.conf import pki_settings
from pki.csr.subjects import name_text
from pki.csr.thing_names import check_client_name
from pki.encoding.names import names_equal
from pki.exceptions import CSRRejected
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.find import authority_with_certificate
from pki.signers import KeySigner, get_signer

# File names, names of secrets and aliases in KMS hold it, and lists of CAs have commas.
# https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")

MOST_YEARS: Final = 100
"""As for the CAs of the configuration."""


def check_name(name: str) -> None:
    """Raise ``OperatorError`` unless a new CA can have the name ``name``."""
    if not _NAME.fullmatch(name):
        raise OperatorError(
            f"{name[:64]!a} cannot be the name of a CA. Use 1 to 60 of a-z, A-Z, 0-9, '_' and '-', "
            "with a letter or digit first."
        )
    if CertificateAuthority.objects.filter(name=name).exists():
        raise OperatorError(
            f"There is a CA {name} already. Names are not used twice. Choose another one."
        )


def check_subject(purpose: Purpose, common_name: str) -> None:
    """Raise ``OperatorError`` unless a CA of that purpose can be made with that common name.

    Two CAs with one subject are told apart by their keys alone, so only a successor has the subject
    of a CA that is trusted.
    """
    try:
        check_client_name(common_name)
    except CSRRejected as error:
        raise OperatorError(error.message) from error
    subject = subject_of(common_name)
    trusted = CertificateAuthority.objects.filter(purpose=purpose).trusted()
    for ca in trusted.defer("chain_pem", "cross_pem", "crl_der"):
        if names_equal(ca.certificate.subject, subject):
            raise OperatorError(
                f"{ca} has the subject {name_text(subject)} already, and is trusted. Choose "
                f"another common name, or make a successor of {ca}."
            )


def subject_of(common_name: str) -> x509.Name:
    """Return the subject of a CA that is made here."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def check_validity(validity: datetime.timedelta) -> None:
    """Raise ``OperatorError`` unless a CA can be valid for so long."""
    if not datetime.timedelta(0) < validity <= datetime.timedelta(days=365 * MOST_YEARS):
        raise OperatorError(
            f"A CA cannot be valid for {validity.days} days. Choose 1 to {MOST_YEARS} years."
        )


def check_keeps_keys(alias: str) -> KeySigner:
    """Return the signer. Raises ``OperatorError`` unless it can keep the key of a new CA here."""
    signer = key_signer(alias)
    if not signer.lasts_on_lambda and not pki_settings().has_lasting_disk:
        raise OperatorError(
            f"The signer {alias!r} stores keys on a disk, and a Lambda function has none that "
            "lasts. Choose a signer that stores keys in AWS."
        )
    return signer


def check_makes_keys(alias: str, purpose: Purpose, name: str) -> None:
    """Raise ``OperatorError`` unless the signer can have a new key for a CA of that name.

    Raises ``RemoteFailure`` when the place of its keys cannot be asked.
    """
    signer = check_keeps_keys(alias)
    if signer.lacks_key(signer.key_name(purpose, name, is_first=is_first(purpose))):
        raise OperatorError(
            f"This process makes no keys, and there is none for {name} that the signer {alias!r} "
            "may use. Have a key made in KMS, and name its ARN in the OPTIONS of a signer of its "
            "own, as key. Or choose a signer that makes keys."
        )


def check_signer_of_import(purpose: Purpose, alias: str) -> None:
    """Raise ``OperatorError`` unless a person can import a CA of that purpose with that signer.

    "" is the signer of a CA that is trusted and signs nothing here. Page and command ask this.
    """
    if alias:
        get_signer(alias)
    elif purpose == Purpose.DEVICE:
        raise OperatorError(
            "A device CA has to sign. Give its private key, or choose the signer that has the key "
            "or reaches the PKI that signs. Only client CAs are trusted without a signer."
        )


def check_certificates(certificates: list[x509.Certificate]) -> None:
    """Raise ``OperatorError`` unless the first can be put on record as a CA, with its chain."""
    certificate, *chain = certificates
    check_ca_certificate(certificate)
    check_chain(certificate, chain)
    known = authority_with_certificate(certificate)
    if known is not None:
        raise OperatorError(
            f"This very certificate is on record already, as {known}. Give another, or leave it."
        )


def is_first(purpose: Purpose) -> bool:
    """Return whether no CA of that purpose was to sign here yet."""
    return not CertificateAuthority.objects.filter(purpose=purpose).exclude(signer="").exists()
