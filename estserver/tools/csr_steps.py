"""The parts of a CSR's check as steps of a dry run. ``pki.csr.check`` decides each of them."""

from dataclasses import dataclass
from typing import Final

from pki.csr.check import CSRRules, ParsedCSR, check_csr
from pki.csr.san import name_texts
from pki.csr.subjects import name_text
from pki.exceptions import CSRRejected
from pki.reasons import Reason

KEY, SIGNATURE, NAMES = "key", "signature", "subject and names"

CSR_STEPS: Final = {
    KEY: frozenset({Reason.KEY_NOT_ALLOWED, Reason.KEY_WEAK}),
    SIGNATURE: frozenset({Reason.PROOF_OF_POSSESSION_FAILED}),
    NAMES: frozenset(
        {
            Reason.COMMON_NAME_MISSING,
            Reason.COMMON_NAME_AMBIGUOUS,
            Reason.COMMON_NAME_NOT_ALLOWED,
            Reason.SERIAL_NUMBER_REQUIRED,
            Reason.SUBJECT_NOT_ALLOWED,
            Reason.SAN_NOT_ALLOWED,
            Reason.POP_LINKING_UNVERIFIABLE,
        }
    ),
}
"""The steps of ``check_csr`` in their order, with the reasons for which each refuses.

A CSR that is refused for another reason cannot be read.
"""


@dataclass(frozen=True, slots=True)
class ReadCSR:
    """A CSR that could be read. It was either checked, or rejected in one of ``CSR_STEPS``."""

    der: bytes
    checked: ParsedCSR | None
    rejected: CSRRejected | None

    @classmethod
    def read(cls, der: bytes, rules: CSRRules) -> "ReadCSR":
        """Check a CSR in DER. Raises ``CSRRejected`` if it cannot be read."""
        try:
            return cls(der, check_csr(der, rules), None)
        except CSRRejected as rejected:
            if not any(rejected.reason in reasons for reasons in CSR_STEPS.values()):
                raise
            return cls(der, None, rejected)

    def finding(self, step: str) -> str:
        """Return what the step found. Raises ``CSRRejected`` if the CSR was rejected in it."""
        if self.rejected is not None and self.rejected.reason in CSR_STEPS[step]:
            raise self.rejected
        if step == SIGNATURE:
            return "The key inside the CSR has signed it."
        if self.checked is None:  # rejected in a later step, so nothing of it can be quoted
            return "The profile allows it."
        if step == KEY:
            return f"The key is {self.checked.key_algorithm}, which the profile allows."
        return _names(self.checked)


def _names(csr: ParsedCSR) -> str:
    found = f"The subject is {name_text(csr.subject)}."
    if csr.san is not None:
        found += f" The alternative names are {', '.join(name_texts(csr.san))}."
    if csr.names.left_out:
        found += f" The profile leaves {', '.join(name_texts(csr.names.left_out))} out."
    return found
