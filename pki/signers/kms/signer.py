"""CA keys that never leave AWS KMS.

Where ``PKISettings.can_make_keys`` is false, as on Lambda, a deployment makes them (threat T55).

A signature takes one call of ``kms:Sign``, because the public key is in the CA's certificate.
``kms:GetPublicKey`` is called only while there is no certificate yet, and to check that the key is
the CA's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.conf import pki_settings
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import KeySigner
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.iam import IAMStatement, SigningFunction, assume_role
from pki.signers.kms.keys import KMSKey, private_key_in_kms
from pki.signers.kms.made_keys import ALIAS_PREFIX, KEY_SPECS, alias_in, creation, key_name


class KMSSigner(KeySigner):
    """Signs with keys in KMS, whose references are their ARNs.

    A CA's key is made in KMS, unless ``key`` is the ARN or alias of a key that is there already,
    for one CA. Keys are in ``region``, by default ``PKISettings.aws_region``. ``roleArn`` is
    assumed for every call.
    """

    ALIAS = "kms"
    custody = "AWS KMS, which the key never leaves"
    takes_keys = False
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
        """Yield the right to sign with ``function.signing_keys``, or to assume the role.

        No function may make, tag or name a key (threat T55).
        """
        if role_arn := options.get("roleArn"):
            yield from assume_role(role_arn)
        elif function.signing_keys:
            # The admin's function makes CAs and looks up their keys. The device side only signs.
            finding = ("kms:DescribeKey",) if function.manages_authorities else ()
            actions = (*finding, "kms:GetPublicKey", "kms:Sign")
            yield IAMStatement("SignWithKMS", actions, function.signing_keys)

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

    def key_name(self, purpose: str, name: str, *, is_first: bool) -> str:
        """Return the name under which a deployment makes the key; else one that is used once."""
        if pki_settings().can_make_keys:
            return super().key_name(purpose, name, is_first=is_first)
        return key_name(purpose, name)

    def key_named(self, name: str) -> str:
        """Return the ARN of the key that ``create_key`` made under that name; "" if it made none.

        Keys that were made elsewhere have names that ``create_key`` knows.
        """
        if self._existing or self._takes_made_keys():
            return ""
        try:
            return self._target(ALIAS_PREFIX + name)
        except RemoteFailure as error:
            if error.code == "NotFoundException":
                return ""
            raise

    def lacks_key(self, name: str) -> bool:
        """Return whether the key ``name`` is to be made by a deployment, and is not there yet.

        Raises ``OperatorError`` when the owner of another account has to make it.
        """
        if not self._takes_made_keys() or self._waiting_key(name):
            return False
        if self._place.role_arn:
            raise self._missing(name)
        return True

    def create_key(self, name: str, key_algorithm: str) -> str:
        """Return the ARN of a key for a new CA: the key that OPTIONS name, else one with an alias.

        A process that may make keys makes it. Others take the one that the deployment made.
        Raises ``OperatorError`` for an algorithm that is not of ``KEY_SPECS`` or not that of the
        key, and for a key that is to be made first, and ``RemoteFailure``.
        """
        if key_algorithm not in KEY_SPECS:
            raise OperatorError(
                f"KMS makes no CA keys of the kind {key_algorithm}. Choose one of "
                f"{', '.join(KEY_SPECS)}, or another signer."
            )
        if self._existing:
            return self._adopt(self._existing, KEY_SPECS[key_algorithm])
        if self._takes_made_keys():
            if waiting := self._waiting_key(name):
                return self._adopt(waiting, KEY_SPECS[key_algorithm])
            raise self._missing(name)
        alias = ALIAS_PREFIX + name
        with as_remote_failure("kms:CreateKey"):
            made = self._client().create_key(**creation(alias, key_algorithm, pki_settings().tags))
        arn = str(made["KeyMetadata"]["Arn"])
        self._give_alias(arn, alias)
        return arn

    def _takes_made_keys(self) -> bool:
        """Return whether a new CA's key is one that a deployment made under the CA's name."""
        return not self._existing and not pki_settings().can_make_keys

    def _waiting_key(self, name: str) -> str:
        """Return the alias of the key that a deployment made; "" if there is none for this process.

        Whether the key does not exist or this process may not use it, a deployment mends that.
        """
        alias = alias_in(pki_settings().project_name, name)
        try:
            self._target(alias)
        except RemoteFailure as error:
            if error.code in ("NotFoundException", "AccessDeniedException"):
                return ""
            raise
        return alias

    def _missing(self, name: str) -> OperatorError:
        if self._place.role_arn:
            return OperatorError(
                "This process makes no keys in KMS, and the signer's keys are in the account of "
                f"{self._place.role_arn}. Have a key made there, and name its ARN in the signer's "
                "OPTIONS, as key."
            )
        alias = alias_in(pki_settings().project_name, name)
        return OperatorError(
            f"This process makes no keys in KMS, and there is no key {alias} that it may use. Run "
            "manage.py aws_deploy where you deploy, which makes it, and run this again."
        )

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
        arn = str(self._described(self._existing)["Arn"])
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

    def _adopt(self, key: str, key_spec: str) -> str:
        described = self._described(key)
        if described["KeySpec"] != key_spec:
            raise OperatorError(
                f"The key in KMS {key} is {described['KeySpec']}, and the CA is to have "
                f"{key_spec}. Name another key, or choose the key's algorithm for the CA."
            )
        return str(described["Arn"])

    def _described(self, key: str) -> Any:
        """Return KMS's description of a key, named by ARN or alias. Raises unless it can sign."""
        with as_remote_failure("kms:DescribeKey"):
            answer = self._client(key).describe_key(KeyId=key)
        described = answer["KeyMetadata"]
        usage, state = described["KeyUsage"], described["KeyState"]
        if usage != "SIGN_VERIFY" or state != "Enabled":
            raise OperatorError(
                f"The key in KMS {key} is for {usage} and {state}. Name one that is for "
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
