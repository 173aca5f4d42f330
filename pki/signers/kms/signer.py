"""CA keys that never leave AWS KMS.

Signing takes one call of ``kms:Sign``: the public key is read from the CA's certificate.
``kms:GetPublicKey`` is asked only while there is no certificate yet, and to look whether the key
is the CA's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki.aws import clients as aws
from pki.aws.clients import AWSLocation
from pki.conf import pki_settings
from pki.csr.key_algorithms import KeyAlgorithm
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import KeySigner
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.kms.keys import KMSKey, private_key_in_kms

KEY_SPECS: Final[dict[str, str]] = {
    KeyAlgorithm.EC_P256: "ECC_NIST_P256",
    KeyAlgorithm.EC_P384: "ECC_NIST_P384",
    KeyAlgorithm.RSA_2048: "RSA_2048",
    KeyAlgorithm.RSA_3072: "RSA_3072",
    KeyAlgorithm.RSA_4096: "RSA_4096",
}
"""Our names of key algorithms, and KMS's.
https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

ALIAS_PREFIX = "alias/est/"
OPTIONS = ("key", "region", "roleArn")


class KMSSigner(KeySigner):
    """Keys in KMS, referred to by their ARN.

    A CA's key is made in KMS, or is the one that ``OPTIONS["key"]`` names.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options; nothing is called yet.

        All are optional: ``key`` is the ARN or alias of a key that is in KMS already, for one CA;
        ``region`` where keys are made, by default ``PKISettings.aws_region``; ``roleArn`` a role to
        assume for every call. Raises ``OperatorError`` for any other.
        """
        for name, value in options.items():
            if name not in OPTIONS or not isinstance(value, str):
                raise OperatorError(
                    f"the KMS signer has no use for the option {name!r}: wanted are "
                    f"{', '.join(OPTIONS)}, each a text"
                )
        self._existing = options.get("key", "")
        self._place = AWSLocation(options.get("region", ""), options.get("roleArn", ""))

    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """The key with that ARN; asks KMS for the public half."""
        with _unavailable():
            public_key = self._public_key(key_reference)
        try:
            return private_key_in_kms(self._key(key_reference), public_key)
        except TypeError as error:
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error

    def key_of(
        self, key_reference: str, certificate: x509.Certificate
    ) -> CertificateIssuerPrivateKeyTypes:
        """The key of the CA with that certificate, without a call."""
        return private_key_in_kms(self._key(key_reference), certificate.public_key())

    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Refused: a key that was elsewhere is no key that never leaves KMS."""
        raise OperatorError(
            "KMS keeps the keys that it made, and takes none from a file: choose another signer "
            "for this CA, or bring the key into KMS and name it in the signer's OPTIONS, as key"
        )

    def create_key(self, name: str, key_algorithm: str) -> str:
        """Make a key, with an alias for people; or take the one of the options, as it is.

        Raises ``OperatorError`` for an algorithm that isn't of ``KEY_SPECS`` or not that of the
        key of the options, and ``RemoteFailure``.
        """
        if key_algorithm not in KEY_SPECS:
            raise OperatorError(
                f"CA keys in KMS aren't made of the kind {key_algorithm}: wanted "
                f"{', '.join(KEY_SPECS)}; choose one of these, or another signer"
            )
        if self._existing:
            return self._adopt(KEY_SPECS[key_algorithm])
        with aws.as_remote_failure("kms:CreateKey"):
            made = self._client().create_key(
                KeySpec=KEY_SPECS[key_algorithm],
                KeyUsage="SIGN_VERIFY",
                Description=f"CA key {name} of the EST server",
                Tags=[{"TagKey": key, "TagValue": value} for key, value in pki_settings().tags],
            )
        arn = str(made["KeyMetadata"]["Arn"])
        self._give_alias(arn, ALIAS_PREFIX + name)
        return arn

    def find_key(self, certificate: x509.Certificate) -> str:
        """The ARN of the key that the options name, when it is that of ``certificate``.

        Raises ``OperatorError`` when they name none or another CA's, and ``RemoteFailure``.
        """
        subject = name_text(certificate.subject)
        if not self._existing:
            raise OperatorError(
                f"which key in KMS is that of {subject}? Name it in the signer's OPTIONS, as key: "
                "its ARN or alias"
            )
        arn = str(self._described()["Arn"])
        found = self._public_key(arn)
        if not public_keys_equal(found, certificate.public_key()):  # type: ignore[arg-type]  # any will do
            raise OperatorError(
                f"the key in KMS {self._existing} isn't that of {subject}: name the key that "
                "belongs to the CA certificate"
            )
        return arn

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Build the certificate, and have KMS sign it."""
        with _unavailable():
            return super().sign(request, issuer)

    def _adopt(self, key_spec: str) -> str:
        described = self._described()
        if described["KeySpec"] != key_spec:
            raise OperatorError(
                f"the key in KMS {self._existing} is {described['KeySpec']}, and the CA's is to "
                f"be {key_spec}: name another key, or let the CA's key algorithm be this one"
            )
        return str(described["Arn"])

    def _described(self) -> Any:
        """What KMS says of the key of the options, whose signatures are to be had."""
        with aws.as_remote_failure("kms:DescribeKey"):
            answer = self._client(self._existing).describe_key(KeyId=self._existing)
        described = answer["KeyMetadata"]
        usage, state = described["KeyUsage"], described["KeyState"]
        if usage != "SIGN_VERIFY" or state != "Enabled":
            raise OperatorError(
                f"the key in KMS {self._existing} is for {usage} and {state}: wanted is one that "
                "is for SIGN_VERIFY and Enabled"
            )
        return described

    def _give_alias(self, arn: str, alias: str) -> None:
        """Give a new key its alias; without one, nobody would find it."""
        try:
            with aws.as_remote_failure("kms:CreateAlias"):
                self._client().create_alias(AliasName=alias, TargetKeyId=arn)
        except RemoteFailure as error:
            if error.code == "AlreadyExistsException" and self._target(alias) == arn:
                return  # the answer to an earlier attempt was lost
            raise OperatorError(
                f"{error}. The key {arn} was made before that and isn't used: schedule its deletion"
            ) from error

    def _target(self, alias: str) -> str:
        with aws.as_remote_failure("kms:DescribeKey"):
            described = self._client().describe_key(KeyId=alias)
        return str(described["KeyMetadata"]["Arn"])

    def _public_key(self, arn: str) -> object:
        with aws.as_remote_failure("kms:GetPublicKey"):
            answer = self._client(arn).get_public_key(KeyId=arn)
        return load_der_public_key(answer["PublicKey"])

    def _key(self, arn: str) -> KMSKey:
        return KMSKey(arn, self._place_of(arn))

    def _client(self, key: str = "") -> Any:
        return aws.client("kms", self._place_of(key))

    def _place_of(self, key: str) -> AWSLocation:
        """An ARN says its region: a CA's key is found whatever the configuration says today."""
        parts = key.split(":")
        region = parts[3] if len(parts) > 3 else self._place.region
        return AWSLocation(region, self._place.role_arn)


@contextmanager
def _unavailable() -> Iterator[None]:
    """What a device learns when KMS fails; the cause says which call, and why."""
    try:
        yield
    except RemoteFailure as error:
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
