"""CA keys in AWS Secrets Manager, in the CDK sample's own format and under its names.

The first device CA is in two secrets, ``DeviceCASettings.certificate_secret_name`` and
``key_secret_name``; the first client CA in one, ``ClientCASettings.secret_name``. A successor is in
one secret of both, ``<that key's name>/<CA>-<8 hex digits>``, so that a role's policy for
``<name>*`` covers it too.

A key is fetched and parsed once per process. After ``refreshSeconds`` the secret's version is
looked at, and a new one is fetched.
"""

from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import AWSLocation
from pki.aws.secrets import (
    REFRESH_SECONDS,
    SecretCache,
    SecretValue,
    read_secret,
    write_secret,
)
from pki.conf import pki_settings
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.signers import get_signer
from pki.signers.base import ExistingAuthority, KeySigner
from pki.signers.secretsmanager.secret_format import (
    SecretContent,
    certificate_pem,
    is_free,
    key_pem,
    load_key,
    pair,
    read_content,
)

_OPTIONS: Final[Mapping[str, tuple[type, ...]]] = {
    "region": (str,),
    "roleArn": (str,),
    "kmsKeyId": (str,),
    "refreshSeconds": (int, float),
}
_CERTIFICATE_DESCRIPTION = "EST server: certificate of a CA"
_KEY_DESCRIPTION = "EST server: private key of a CA"


class SecretsManagerSigner(KeySigner):
    """Keys in Secrets Manager; a key reference is a secret's name or ARN.

    ``OPTIONS``: ``region`` and ``roleArn``, where the secrets are, by default where everything is;
    ``kmsKeyId``, which encrypts those we create; ``refreshSeconds``, 300 by default.
    """

    def __init__(self, **options: Any) -> None:
        """Look at the options, not at AWS. Raises ``OperatorError`` for options that don't do."""
        for name, value in options.items():
            if not isinstance(value, _OPTIONS.get(name, ())):
                raise OperatorError(
                    f"the Secrets Manager signer has no use for the option {name} as it is: wanted "
                    "are region, roleArn and kmsKeyId, each a text, and refreshSeconds, a number"
                )
        self._place = AWSLocation(options.get("region", ""), options.get("roleArn", ""))
        self._kms_key_id: str = options.get("kmsKeyId", "")
        self._keys = SecretCache(
            _parse_key, self._place, options.get("refreshSeconds", REFRESH_SECONDS)
        )

    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """The key in the secret ``key_reference``."""
        try:
            return self._keys.get(key_reference)
        except OperatorError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error

    def key_name(self, purpose: str, name: str, *, is_first: bool) -> str:
        """The configured name for the first CA; for others, one below it."""
        configured = _configured_name(purpose)
        if is_first:
            return configured
        return f"{configured}/{super().key_name(purpose, name, is_first=False)}"

    @sensitive_variables()
    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Put ``key`` into the secret ``name``, unless it is there: a run may have been cut off."""
        value, content = self._read(name)
        if content.key_pem:
            if _has_public_key(load_key(name, content.key_pem), key):
                return name
            raise OperatorError(
                f"the secret {name} holds another key, and keys are never overwritten: name a "
                "secret without one in the configuration, or let the CA in it be adopted"
            )
        pem = key_pem(key)
        stands_alone = _certificate_name(name) != name
        self._fill(name, value, pem if stands_alone else pair("", pem), _KEY_DESCRIPTION)
        return name

    @sensitive_variables()
    def keep_certificate(self, key_reference: str, certificate: x509.Certificate) -> None:
        """Put the certificate into its own secret, or beside the key into the key's."""
        name = _certificate_name(key_reference)
        value, content = self._read(name)
        if certificate in content.certificates[:1]:
            return
        pem = certificate_pem(certificate)
        if name != key_reference:
            self._fill(name, value, pem, _CERTIFICATE_DESCRIPTION)
        elif content.certificates:
            raise _is_taken(name)
        else:
            self._write(name, value, pair(pem, content.key_pem), _KEY_DESCRIPTION)

    @sensitive_variables()
    def find_key(self, certificate: x509.Certificate) -> str:
        """The configured secret that holds the key of ``certificate``; "" when none does."""
        settings = pki_settings()
        for plan, purpose in ((settings.device_ca, "device"), (settings.client_ca, "client")):
            if get_signer(plan.signer) is not self:
                continue  # a secret that isn't ours may not be ours to read
            name = _configured_name(purpose)
            content = self.read(name)
            if content.key_pem and _has_public_key(load_key(name, content.key_pem), certificate):
                return name
        return ""

    @sensitive_variables()
    def existing_authority(self, purpose: str) -> ExistingAuthority | None:
        """What the configured secrets hold. Its key is checked in full here."""
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
                f"the secret {name} holds a key, and {where} no certificate: put the CA's "
                "certificate there, or name other secrets, for a new CA to be made"
            )
        if certificates and not _has_public_key(key, certificates[0]):
            raise OperatorError(
                f"the key in the secret {name} isn't that of "
                f"{name_text(certificates[0].subject)}, whose certificate is in {where}: put the "
                "two together that belong together"
            )
        return ExistingAuthority(certificates, name, where)

    def read(self, name: str) -> SecretContent:
        """What the secret holds of a CA or a client. Raises ``OperatorError``."""
        return self._read(name)[1]

    @sensitive_variables()
    def is_free(self, name: str) -> bool:
        """Whether the secret is still to be filled. Raises ``OperatorError``."""
        return is_free(read_secret(name, self._place))

    @sensitive_variables()
    def fill(self, name: str, content: str | bytes, description: str) -> None:
        """Put ``content`` into a secret that is free. Raises ``OperatorError``."""
        self._fill(name, read_secret(name, self._place), content, description)

    @sensitive_variables()
    def _read(self, name: str) -> tuple[SecretValue | None, SecretContent]:
        value = read_secret(name, self._place)
        return value, read_content(name, value)

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
    """The key in a secret; raises ``OperatorError`` when there is none.

    The first of a process isn't checked again, which saves a cold start 250 ms with RSA-4096. It
    was checked when it was made, stored or adopted, and numbers that don't belong together can't
    do harm: what they sign doesn't verify, and every certificate is verified before anybody gets
    it (``pki.issuance.verified_signing``). A version that comes later may be anybody's work, and
    is checked.
    """
    content = read_content(name, value)
    if not content.key_pem:
        raise OperatorError(
            f"the secret {name} holds no private key: restore the version that did, or run "
            "manage.py bootstrap_cas if there is no CA yet"
        )
    return load_key(name, content.key_pem, is_checked=is_first)


def _is_taken(name: str) -> OperatorError:
    return OperatorError(
        f"the secret {name} holds something already, and is never overwritten: name another in "
        "the configuration"
    )


def _configured_name(purpose: str) -> str:
    settings = pki_settings()
    if purpose == "device":
        return settings.device_ca.key_secret_name
    return settings.client_ca.secret_name


def _certificate_name(key_reference: str) -> str:
    """The secret that holds the certificate of the key in ``key_reference``."""
    plan = pki_settings().device_ca
    return plan.certificate_secret_name if key_reference == plan.key_secret_name else key_reference


def _has_public_key(
    key: CertificateIssuerPrivateKeyTypes,
    other: CertificateIssuerPrivateKeyTypes | x509.Certificate,
) -> bool:
    return public_keys_equal(key.public_key(), other.public_key())
