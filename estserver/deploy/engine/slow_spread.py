"""Refusals that pass by themselves: AWS's services learn of some changes after a while.

A refusal is waited out only if it fits a row of this table, and no longer than the row says.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pki.operators.errors import RemoteFailure

PAUSE = 5.0
"""Seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class SlowSpread:
    """A change that a service may not know of yet, and how the service then refuses calls."""

    why: str
    """What is waited for, as a phrase."""
    seconds: int
    """The longest wait."""
    after: frozenset[str] = frozenset()
    """Calls of this run one of which makes the refusal a passing one; empty for any run."""
    service: str = ""
    """The service that refuses; "" for any."""
    codes: frozenset[str] = frozenset()
    """Codes of the refusal; empty for any."""
    words: tuple[str, ...] = ()
    """Words one of which the refusal holds, in lower case; empty for any."""

    def explains(self, error: RemoteFailure, performed: Collection[str]) -> bool:
        """Return whether ``error`` may pass, after the calls that this run has ``performed``."""
        text = str(error).lower()
        return (
            (not self.after or not self.after.isdisjoint(performed))
            and error.call.startswith(f"{self.service}:" if self.service else "")
            and (not self.codes or error.code in self.codes)
            and (not self.words or any(words in text for words in self.words))
        )


IN_A_FUNCTION = "exit code 3"
"""The code of a failure that AWS caused to a command in the admin's function."""

SLOW_SPREADS = (
    # IAM: "Changes that I make are not always immediately visible". The page names no time, so the
    # bounds are ours. An earlier run, or Zappa between two, may have made the role.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    SlowSpread(
        "IAM has not made the role known to every service yet",
        120,
        words=("cannot be assumed", "does not have required permissions", "invalid role"),
    ),
    SlowSpread(
        "IAM has not put the policy of the function's role into force yet",
        60,
        codes=frozenset({IN_A_FUNCTION}),
        words=("accessdenied",),
    ),
    # KMS: "It might take up to five minutes for tag and alias changes to affect KMS key
    # authorization." The deployer's rights to a key depend on its tag.
    # https://docs.aws.amazon.com/kms/latest/developerguide/abac.html
    SlowSpread(
        "KMS takes up to five minutes until the tags of a new key count for rights",
        300,
        after=frozenset({"kms:CreateKey", "kms:TagResource"}),
        service="kms",
        codes=frozenset({"AccessDeniedException"}),
    ),
    # The same key, when Secrets Manager asks KMS on behalf of the caller.
    SlowSpread(
        "KMS takes up to five minutes until the tags of a new key count for rights",
        300,
        service="secretsmanager",
        codes=frozenset({"AccessDeniedException"}),
        words=("access to kms",),
    ),
    # KMS: "most changes take seconds, some take several minutes".
    # https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
    SlowSpread(
        "KMS has not made the new key known everywhere yet",
        300,
        after=frozenset({"kms:CreateKey"}),
        service="kms",
        codes=frozenset({"NotFoundException"}),
    ),
    # https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html
    SlowSpread(
        "WAF is still making the access list available",
        60,
        service="wafv2",
        codes=frozenset({"WAFUnavailableEntityException"}),
    ),
)


def slow_spread(error: RemoteFailure, performed: Collection[str]) -> SlowSpread | None:
    """Return what explains that ``error`` may pass by itself; ``None`` for a lasting refusal."""
    return next((each for each in SLOW_SPREADS if each.explains(error, performed)), None)
