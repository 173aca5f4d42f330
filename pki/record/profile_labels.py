"""Which client CAs, and which other profiles' devices, a profile accepts at its label."""

from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.setting_problems import SettingProblem, SettingsRefused


def client_cas_by_default() -> list[str]:
    """Return the names of the client CAs that a new profile takes when it names none.

    That is the only one on record, with those that it succeeded. There is none before the first
    one is made. Raises ``SettingsRefused`` when there are several, of which the profile has to
    choose.
    """
    trusted = list(CertificateAuthority.objects.client().trusted().order_by("created_at"))
    succeeded = {ca.successor_of_id for ca in trusted}
    if sum(ca.pk not in succeeded for ca in trusted) > 1:
        sentence = (
            "There is more than one client CA, and the profile names none. Name those whose "
            f"clients may use it: {', '.join(ca.name for ca in trusted)}."
        )
        raise SettingsRefused([SettingProblem("client_cas", sentence)])
    return [ca.name for ca in trusted]


def check_client_cas_change(profile: CertificateProfile, client_cas: object) -> None:
    """Raise ``SettingsRefused`` when a change of ``profile`` would let every client CA in."""
    is_every = isinstance(client_cas, list) and EVERY_CLIENT_CA in client_cas
    if is_every and EVERY_CLIENT_CA not in profile.client_cas:
        sentence = (
            f"{EVERY_CLIENT_CA!r} is for profiles from before this setting. Name the client CAs "
            "whose clients may use the profile."
        )
        raise SettingsRefused([SettingProblem("client_cas", sentence)])


def label_problems(profile: CertificateProfile) -> list[SettingProblem]:
    """Return what is wrong with the names of CAs and profiles."""
    client_cas = CertificateAuthority.objects.client().values_list("name", flat=True)
    profiles = CertificateProfile.objects.values_list("name", flat=True).distinct()
    problems = _unknown(
        "client_cas", "client CA", profile.client_cas, {*client_cas, EVERY_CLIENT_CA}
    )
    return problems + _unknown(
        "accepted_profiles", "profile", profile.accepted_profiles, {*profiles, profile.name}
    )


def _unknown(field: str, kind: str, names: object, known: set[str]) -> list[SettingProblem]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [SettingProblem(field, "Wanted a list of names.")]
    shown = ", ".join(sorted(known - {EVERY_CLIENT_CA})) or "none yet"
    return [
        SettingProblem(field, f"There is no {kind} {name!r}. Known are: {shown}.")
        for name in names
        if name not in known
    ]


def client_cas_after(profile: CertificateProfile, ca: CertificateAuthority) -> list[str]:
    """Return the client CAs of a profile in force, once the new client CA ``ca`` is on record.

    A profile that names a CA takes its successor too. One that was made before there was any client
    CA takes the first.
    """
    named: list[str] = profile.client_cas
    succeeded = ca.successor_of.name if ca.successor_of else None
    if (not named or succeeded in named) and ca.name not in named:
        return [*named, ca.name]
    return named


def accepts_every_client_ca(profile: CertificateProfile) -> bool:
    """Return whether clients of all client CAs may use the profile, of which there are several."""
    several = CertificateAuthority.objects.client().trusted().filter(successors=None)
    return EVERY_CLIENT_CA in profile.client_cas and several.count() > 1
