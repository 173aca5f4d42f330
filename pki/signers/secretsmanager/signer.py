"""CA keys in AWS Secrets Manager, in the CDK sample's format and under its names.

The first device CA is in two secrets, ``DeviceCASettings.certificate_secret_name`` and
``key_secret_name``; the first client CA in one, ``ClientCASettings.secret_name``. A successor is in
one secret of both, ``<name of that key's secret>/<CA>-<8 hex digits>``, so that a role's policy can
name it before there is a successor.

A key is fetched and parsed once per process. After ``refreshSeconds`` the secret's version is
looked up, and a new version is fetched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import AWSLocation
from pki.aws.secret_cache import REFRESH_SECONDS, SecretCache
from pki.aws.secrets import SecretValue, read_secret, refuse_secret_of_another, write_secret
from pki.conf import pki_settings
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.encoding.certificates import pem_of
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.signers import get_signer
from pki.signers.base import ExistingAuthority, KeySigner
from pki.signers.iam import IAMStatement, SigningFunction, assume_role, read_secrets
from pki.signers.secretsmanager.secret_format import (
    SecretContent,
    is_free,
    key_pem,
    load_key,
    pair,
    read_content,
)

_CERTIFICATE_DESCRIPTION = "EST server: certificate of a CA"
_KEY_DESCRIPTION = "EST server: private key of a CA"


class SecretsManagerSigner(KeySigner):
    """Signs with keys in Secrets Manager; a key reference is a secret's name or ARN.

    The secrets are in ``region``, by default ``PKISettings.aws_region``, or in the account of
    ``roleArn``, which is assumed for every call. ``kmsKeyId`` encrypts the secrets that are made.
    A secret's version is looked up again after ``refreshSeconds`` (300).
    """

    ALIAS = "secretsmanager"
    OPTIONS = ("region", "roleArn", "kmsKeyId", "refreshSeconds")
    custody = "AWS Secrets Manager"
    has_own_ca = True

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS; nothing is called yet. Raises ``OperatorError``."""
        options = self.read_options(given)
        self._place = AWSLocation(options.region(), options.role_arn())
        self._kms_key_id = options.text("kmsKeyId", "the ARN, id or alias of a key in KMS")
        self._keys = SecretCache(
            _parse_key,
            self._place,
            options.number("refreshSeconds", "a number of seconds", default=REFRESH_SECONDS),
        )

    @classmethod
    def iam_statements(
        cls, options: Mapping[str, Any], function: SigningFunction
    ) -> Iterator[IAMStatement]:
        """Yield the right to read the device CA's secrets, and those of its successors.

        The deployment grants the right to make secrets, since test clients have theirs too.
        """
        if role_arn := options.get("roleArn"):
            yield from assume_role(role_arn)
        there = replace(function, region=options.get("region") or function.region)
        secrets = function.device_ca_secrets
        yield from read_secrets(there, secrets, below=function.device_key_secret)

    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """Return the key in the secret ``key_reference``."""
        try:
            return self._keys.get(key_reference)
        except OperatorError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error

    def key_name(self, purpose: str, name: str, *, is_first: bool) -> str:
        """Return the configured name for the first CA, and for its successors one below that."""
        configured = _configured_name(purpose)
        if is_first:
            return configured
        return f"{configured}/{super().key_name(purpose, name, is_first=False)}"

    @sensitive_variables()
    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Put ``key`` into the secret ``name``. It may be there, from a run that was cut off."""
        value, content = self._read(name)
        if content.key_pem:
            if _has_public_key(load_key(name, content.key_pem), key):
                return name
            raise OperatorError(
                f"The secret {name} holds another key, and keys are never overwritten. Name a "
                "secret without a key in the configuration, or have the CA in it adopted."
            )
        pem = key_pem(key)
        stands_alone = _certificate_name(name) != name
        self._fill(name, value, pem if stands_alone else pair("", pem), _KEY_DESCRIPTION)
        return name

    @sensitive_variables()
    def key_named(self, name: str) -> str:
        """Return ``name`` if that secret holds a key; else ""."""
        return name if self.read(name).key_pem else ""

    @sensitive_variables()
    def keep_certificate(self, key_reference: str, certificate: x509.Certificate) -> None:
        """Put the certificate into its own secret, or beside the key into the key's secret."""
        name = _certificate_name(key_reference)
        value, content = self._read(name)
        if certificate in content.certificates[:1]:
            return
        pem = pem_of(certificate)
        if name != key_reference:
            self._fill(name, value, pem, _CERTIFICATE_DESCRIPTION)
        elif content.certificates:
            raise _is_taken(name)
        else:
            self._write(name, value, pair(pem, content.key_pem), _KEY_DESCRIPTION)

    @sensitive_variables()
    def find_key(self, certificate: x509.Certificate) -> str:
        """Return the configured secret that holds the key of ``certificate``; "" if none does."""
        settings = pki_settings()
        for ca, purpose in ((settings.device_ca, "device"), (settings.client_ca, "client")):
            if get_signer(ca.signer) is not self:
                continue  # this process may have no right to read another signer's secrets
            name = _configured_name(purpose)
            content = self.read(name)
            if content.key_pem and _has_public_key(load_key(name, content.key_pem), certificate):
                return name
        return ""

    @sensitive_variables()
    def existing_authority(self, purpose: str) -> ExistingAuthority | None:
        """Return the CA in the configured secrets, whose key is checked in full."""
        name = _configured_name(purpose)
        certificate_name = _certificate_name(name)
        key_value, content = self._read(name)
        certificates = content.certificates
        if certificate_name != name:
            certificates = self._read(certificate_name)[1].certificates or certificates
        where = f"the secret {certificate_name}"
        if not content.key_pem:
            return ExistingAuthority(certificates, "", where) if certificates else None
        key = load_key(name, content.key_pem)
        if not certificates and key_value is not None and not key_value.is_ours:
            raise OperatorError(
                f"The secret {name} holds a key, and {where} no certificate. Put the CA's "
                "certificate there, or name other secrets, so that a new CA is made."
            )
        if certificates and not _has_public_key(key, certificates[0]):
            raise OperatorError(
                f"The key in the secret {name} is not that of "
                f"{name_text(certificates[0].subject)}, whose certificate is in {where}. Put the "
                "two together that belong together."
            )
        return ExistingAuthority(certificates, name, where)

    def read(self, name: str) -> SecretContent:
        """Return what the secret holds of a CA or a client. Raises ``OperatorError``."""
        return self._read(name)[1]

    @sensitive_variables()
    def is_free(self, name: str) -> bool:
        """Return whether the secret holds nothing yet. Raises ``OperatorError``."""
        return is_free(self._value(name))

    @sensitive_variables()
    def fill(self, name: str, content: str | bytes, description: str) -> None:
        """Put ``content`` into a secret that holds nothing yet. Raises ``OperatorError``."""
        self._fill(name, self._value(name), content, description)

    @sensitive_variables()
    def _read(self, name: str) -> tuple[SecretValue | None, SecretContent]:
        value = self._value(name)
        return value, read_content(name, value)

    @sensitive_variables()
    def _value(self, name: str) -> SecretValue | None:
        """Return what the secret holds, to take it over or to fill it.

        Raises ``OperatorError`` for a secret of another project.
        """
        refuse_secret_of_another(name, self._place)
        return read_secret(name, self._place)

    @sensitive_variables()
    def _fill(
        self, name: str, found: SecretValue | None, content: str | bytes, description: str
    ) -> None:
        if not is_free(found):
            raise _is_taken(name)
        self._write(name, found, content, description)

    @sensitive_variables()
    def _write(
        self, name: str, found: SecretValue | None, content: str | bytes, description: str
    ) -> None:
        write_secret(
            name,
            content,
            after=found,
            description=description,
            place=self._place,
            kms_key_id=self._kms_key_id,
        )


@sensitive_variables()
def _parse_key(
    name: str, value: SecretValue | None, is_first: bool
) -> CertificateIssuerPrivateKeyTypes:
    """Return the key in a secret; raises ``OperatorError`` when there is none.

    The numbers of the first key of a process are not checked, which saves 250 ms of a cold start
    with RSA-4096. They were checked when the key was made, stored or adopted. If they did not
    belong together, a signature would not verify, and every certificate is verified before it is
    delivered (``pki.issuance.verified_signing``). A version that comes later is checked.
    """
    content = read_content(name, value)
    if not content.key_pem:
        raise OperatorError(
            f"The secret {name} holds no private key. Restore the version that did, or run "
            "manage.py bootstrap_cas if there is no CA yet."
        )
    return load_key(name, content.key_pem, is_checked=is_first)


def _is_taken(name: str) -> OperatorError:
    return OperatorError(
        f"The secret {name} holds something already, and is never overwritten. Name another in "
        "the configuration."
    )


def _configured_name(purpose: str) -> str:
    """Return the configured secret for the key of the first CA of that purpose."""
    settings = pki_settings()
    if purpose == "device":
        return settings.device_ca.key_secret_name
    return settings.client_ca.secret_name


def _certificate_name(key_reference: str) -> str:
    """Return the secret that holds the certificate of the key in ``key_reference``."""
    ca = pki_settings().device_ca
    return ca.certificate_secret_name if key_reference == ca.key_secret_name else key_reference


def _has_public_key(
    key: CertificateIssuerPrivateKeyTypes,
    other: CertificateIssuerPrivateKeyTypes | x509.Certificate,
) -> bool:
    return public_keys_equal(key.public_key(), other.public_key())
