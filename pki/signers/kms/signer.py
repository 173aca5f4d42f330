"""CA keys that never leave AWS KMS.

A signature takes one call of ``kms:Sign``, because the public key is in the CA's certificate.
``kms:GetPublicKey`` is called only while there is no certificate yet, and to check that the key is
the CA's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.conf import pki_settings
from pki.csr.key_algorithms import KeyAlgorithm
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import KeySigner
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.iam import IAMStatement, SigningFunction, assume_role
from pki.signers.kms.keys import KMSKey, private_key_in_kms

KEY_SPECS: Final[dict[str, str]] = {
    KeyAlgorithm.EC_P256: "ECC_NIST_P256",
    KeyAlgorithm.EC_P384: "ECC_NIST_P384",
    KeyAlgorithm.RSA_2048: "RSA_2048",
    KeyAlgorithm.RSA_3072: "RSA_3072",
    KeyAlgorithm.RSA_4096: "RSA_4096",
}
"""The names of key algorithms in this project, and in KMS.
https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

ALIAS_PREFIX = "alias/est/"
"""The beginning of the aliases of the keys that are made here."""


class KMSSigner(KeySigner):
    """Signs with keys in KMS, whose references are their ARNs.

    A CA's key is made in KMS, unless ``key`` is the ARN or alias of a key that is there already,
    for one CA. Keys are made in ``region``, by default ``PKISettings.aws_region``. ``roleArn`` is
    assumed for every call.
    """

    ALIAS = "kms"
    OPTIONS = ("key", "region", "roleArn")

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS; nothing is called yet. Raises ``OperatorError``."""
        options = self.read_options(given)
        self._existing = options.text("key", "the ARN or alias of a key in KMS")
        self._place = AWSLocation(options.region(), options.role_arn())

    @classmethod
    def iam_statements(
        cls, options: Mapping[str, Any], function: SigningFunction
    ) -> Iterator[IAMStatement]:
        """Yield the right to sign with the key that OPTIONS name, or with every key made here."""
        if role_arn := options.get("roleArn"):
            yield from assume_role(role_arn)
            return
        key = str(options.get("key", ""))
        anything = function.arn_in_any_region("kms", "key/*")
        actions = ("kms:DescribeKey", "kms:GetPublicKey", "kms:Sign")
        if key.startswith("arn:"):
            yield IAMStatement("SignWithKMSByName", actions, (key,))
        elif key.startswith("alias/"):
            # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
            by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": [key]}}
            yield IAMStatement("SignWithKMSByAlias", actions, anything, by_alias)
        else:
            made_here = function.has_tag("ResourceTag")
            yield IAMStatement("SignWithKMS", actions, anything, made_here)
            if function.manages_authorities and not key:
                yield from cls._create_keys(function)

    @staticmethod
    def _create_keys(function: SigningFunction) -> Iterator[IAMStatement]:
        """Yield the right to make keys, which carry the installation's tag from the beginning."""
        making = ("kms:CreateKey", "kms:TagResource")
        yield IAMStatement("MakeKeys", making, "*", function.has_tag("RequestTag"))
        # CreateAlias needs the right to the alias and to the key.
        naming = ("kms:CreateAlias",)
        aliases = function.arn_in_any_region("kms", f"{ALIAS_PREFIX}*")
        keys = function.arn_in_any_region("kms", "key/*")
        yield IAMStatement("NameKeys", naming, aliases)
        yield IAMStatement("NameOurKeys", naming, keys, function.has_tag("ResourceTag"))

    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """Return the key with that ARN. KMS is asked for the public half."""
        with _unavailable():
            public_key = self._public_key(key_reference)
        try:
            return private_key_in_kms(self._key(key_reference), public_key)
        except TypeError as error:
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error

    def key_of(
        self, key_reference: str, certificate: x509.Certificate
    ) -> CertificateIssuerPrivateKeyTypes:
        """Return the key of the CA with that certificate, without a call."""
        return private_key_in_kms(self._key(key_reference), certificate.public_key())

    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Refuse: a key that was elsewhere is not a key that never leaves KMS."""
        raise OperatorError(
            "KMS signs with the keys that it made, and this server imports none into it. Choose "
            "another signer for this CA, or import the key into KMS and name it in the signer's "
            "OPTIONS, as key."
        )

    def create_key(self, name: str, key_algorithm: str) -> str:
        """Make a key, with an alias for people, or take the key that OPTIONS name.

        Raises ``OperatorError`` for an algorithm that is not of ``KEY_SPECS`` or not that of the
        key that OPTIONS name, and ``RemoteFailure``.
        """
        if key_algorithm not in KEY_SPECS:
            raise OperatorError(
                f"KMS makes no CA keys of the kind {key_algorithm}. Choose one of "
                f"{', '.join(KEY_SPECS)}, or another signer."
            )
        if self._existing:
            return self._adopt(KEY_SPECS[key_algorithm])
        with as_remote_failure("kms:CreateKey"):
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
        """Return the ARN of the key that OPTIONS name, when it is that of ``certificate``.

        Raises ``OperatorError`` when they name no key or another CA's, and ``RemoteFailure``.
        """
        subject = name_text(certificate.subject)
        if not self._existing:
            raise OperatorError(
                f"Which key in KMS is that of {subject}? Name its ARN or alias in the signer's "
                "OPTIONS, as key."
            )
        arn = str(self._described()["Arn"])
        found = self._public_key(arn)
        if not public_keys_equal(found, certificate.public_key()):  # type: ignore[arg-type]  # any will do
            raise OperatorError(
                f"The key in KMS {self._existing} is not that of {subject}. Name the key that "
                "belongs to the CA certificate."
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
                f"The key in KMS {self._existing} is {described['KeySpec']}, and the CA is to have "
                f"{key_spec}. Name another key, or choose the key's algorithm for the CA."
            )
        return str(described["Arn"])

    def _described(self) -> Any:
        """Return KMS's description of the key that OPTIONS name. Raises unless it can sign."""
        with as_remote_failure("kms:DescribeKey"):
            answer = self._client(self._existing).describe_key(KeyId=self._existing)
        described = answer["KeyMetadata"]
        usage, state = described["KeyUsage"], described["KeyState"]
        if usage != "SIGN_VERIFY" or state != "Enabled":
            raise OperatorError(
                f"The key in KMS {self._existing} is for {usage} and {state}. Name one that is for "
                "SIGN_VERIFY and Enabled."
            )
        return described

    def _give_alias(self, arn: str, alias: str) -> None:
        """Give a new key its alias, by which operators find it."""
        try:
            with as_remote_failure("kms:CreateAlias"):
                self._client().create_alias(AliasName=alias, TargetKeyId=arn)
        except RemoteFailure as error:
            if error.code == "AlreadyExistsException" and self._target(alias) == arn:
                return  # the answer to an earlier attempt was lost
            raise OperatorError(
                f"{error} The key {arn} was made before that and is not used. Schedule its "
                "deletion."
            ) from error

    def _target(self, alias: str) -> str:
        with as_remote_failure("kms:DescribeKey"):
            described = self._client().describe_key(KeyId=alias)
        return str(described["KeyMetadata"]["Arn"])

    def _public_key(self, arn: str) -> object:
        with as_remote_failure("kms:GetPublicKey"):
            answer = self._client(arn).get_public_key(KeyId=arn)
        return load_der_public_key(answer["PublicKey"])

    def _key(self, arn: str) -> KMSKey:
        return KMSKey(arn, self._place_of(arn))

    def _client(self, key: str = "") -> Any:
        return aws_client("kms", self._place_of(key))

    def _place_of(self, key: str) -> AWSLocation:
        """Return where the key is. An ARN names its region, so a later option changes nothing."""
        parts = key.split(":")
        region = parts[3] if len(parts) > 3 else self._place.region
        return AWSLocation(region, self._place.role_arn)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn a failure of KMS into ``SignerUnavailable``. Its cause has the call and the reason."""
    try:
        yield
    except RemoteFailure as error:
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
