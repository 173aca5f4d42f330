"""The AWS rights that a signer states it needs: Allow statements of IAM, as plain data.

The deployment adds up the statements of the signers in use and writes them into the policy of a
function's role. A signer that calls no AWS service states none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

OTHER_ACCOUNTS = "ReachOtherAccounts"
"""The Sid of the statement for the roles of other accounts."""


@dataclass(frozen=True, slots=True)
class IAMStatement:
    """One Allow statement. Role policies here contain no Deny statements.

    ``sid`` names the purpose. Statements that differ in nothing but ``resources`` become one
    statement of the policy.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    """

    sid: str
    actions: tuple[str, ...]
    resources: str | tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningFunction:
    """The Lambda function that signs: what the ARNs and conditions of its rights are made of."""

    partition: str
    account: str
    region: str
    manages_authorities: bool
    """Whether operators make CAs and revoke certificates in this function. If not, it only signs
    what devices ask for.
    """
    device_ca_secrets: tuple[str, ...] = ()
    """Names or ARNs of the secrets in Secrets Manager for the device CA."""
    device_key_secret: str = ""
    """The one of them for the key, below whose name the secrets of its successors are."""
    signing_keys: tuple[str, ...] = ()
    """ARNs of the keys in KMS that the signer's CAs have or will have, found at the deployment."""
    secret_keys: tuple[str, ...] = ()
    """ARNs of the keys in KMS that secrets are encrypted with, found at the deployment."""

    def secret_arns(self, name: str) -> tuple[str, ...]:
        """Return what a policy names a secret by, whether it exists or not. An ARN stays as it is.

        Secrets Manager adds a hyphen and six characters to the name of a secret that exists:
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html
        While no secret of that name exists, its ARN has no suffix. A policy that named the suffix
        alone would turn AWS's answer that there is none into AccessDeniedException. No page of
        AWS's says so; it was measured: https://github.com/ministackorg/ministack/pull/1737
        """
        if name.startswith("arn:"):
            return (name,)
        location = f"{self.partition}:secretsmanager:{self.region}:{self.account}"
        arn = f"arn:{location}:secret:{name}"
        return (arn, f"{arn}-??????")

    def successor_secret_arns(self, name: str) -> tuple[str, ...]:
        """Return what a policy names the secrets of a CA's successors by, where it has any.

        They are ``name/CA-HEX``. An operator chooses the CA's name at the rollover, when no role
        can be changed from a function, so every secret below that name is meant. A name that goes
        on without a slash is not.
        """
        arns = self.secret_arns(name)[:1] if name and not name.startswith("arn:") else ()
        return tuple(f"{arn}/*" for arn in arns)

    def through_secrets_manager(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the condition that a KMS key is used for a secret, and for nothing else."""
        return {"StringEquals": {"kms:ViaService": f"secretsmanager.{self.region}.amazonaws.com"}}


def assume_role(role_arn: str) -> Iterator[IAMStatement]:
    """Yield the right to assume a role of another account, whose owner decides what it may do."""
    yield IAMStatement(OTHER_ACCOUNTS, ("sts:AssumeRole",), (role_arn,))


def read_secrets(
    function: SigningFunction, names: tuple[str, ...], *, below: str = ""
) -> Iterator[IAMStatement]:
    """Yield the right to read secrets, and to have them decrypted by ``function.secret_keys``.

    ``below`` is the name of a secret whose successors' secrets are read, too.
    A secret that AWS's own key encrypts needs no right to that key:
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    if not names:
        return
    yield IAMStatement(
        "ReadSecrets",
        ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
        (
            *(arn for name in names for arn in function.secret_arns(name)),
            *function.successor_secret_arns(below),
        ),
    )
    if function.secret_keys:
        yield IAMStatement(
            "ReadSecretsDecrypted",
            ("kms:Decrypt",),
            function.secret_keys,
            function.through_secrets_manager(),
        )
