"""Which devices a change of a profile would refuse, and how many: a person has to confirm that."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from pki.models import CertificateProfile, IssuedCertificate
from pki.record.bounded_counts import count_in_words, count_up_to
from pki.record.lockout_rules import RULES, versions_of
from pki.record.profile_checks import lets_nobody_in
from pki.record.setting_problems import SettingProblem, SettingsRefused

EVERY_SETTING: Final = frozenset(setting for setting, _ in RULES)
"""What this server's own steps confirm, such as the roll of a CA, which asks a person itself."""


@dataclass(frozen=True, slots=True)
class Lockout(SettingProblem):
    """A setting whose change would refuse devices that have a certificate now."""

    devices: int
    """How many, at most one more than ``MOST_COUNTED``."""


class NotConfirmed(SettingsRefused):
    """A change would refuse devices and was not confirmed. ``problems`` are its lockouts."""

    def __init__(self, lockouts: Collection[Lockout]) -> None:
        options = " ".join(f"--confirm {one.setting}" for one in lockouts)
        self.lockouts = tuple(lockouts)
        super().__init__(lockouts, f"If that is meant, confirm it ({options}).")


def check_somebody_is_let_in(before: CertificateProfile, after: CertificateProfile) -> None:
    """Refuse a change after which no device at all could enroll. Raises ``SettingsRefused``.

    A profile that was made with an empty list gets its names later, and may change until then.
    """
    if lets_nobody_in(after) and not lets_nobody_in(before):
        live = count_up_to(IssuedCertificate.objects.live().filter(profile__in=versions_of(before)))
        noun = "certificate" if live == 1 else "certificates"
        sentence = (
            "The rule allow-list with an empty list refuses every device of the profile "
            f"({count_in_words(live)} live {noun}). Name at least one."
        )
        raise SettingsRefused([SettingProblem("allowed_names", sentence)])


def check_lockouts(
    before: CertificateProfile, after: CertificateProfile, confirmed: Collection[str]
) -> None:
    """Raise ``NotConfirmed`` when a setting that is not in ``confirmed`` would refuse devices.

    ``confirmed`` names the settings whose lockouts a person has read and wants.
    """
    found = [one for one in lockouts(before, after) if one.setting not in confirmed]
    if found:
        raise NotConfirmed(found)


def lockouts(before: CertificateProfile, after: CertificateProfile) -> Iterator[Lockout]:
    """Yield the settings whose change refuses devices that have a certificate now."""
    for setting, rule in RULES:
        found = rule(before, after)
        if found is not None and found.devices:
            yield Lockout(setting, found.sentence, found.devices)
