"""What stops when the trust in a CA ends, counted before anything is changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from pki.authorities.authority_rows import Purpose, Status
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.bounded_counts import count_in_words, count_up_to
from pki.record.trust_paths import authorities_leading_to


@dataclass(frozen=True, slots=True)
class TrustEffects:
    """What stops with a CA, and with the CAs on record that lead to it."""

    authorities: tuple[CertificateAuthority, ...]
    """The CA itself first."""
    devices: int
    """How many live device certificates there are, counted as `count_up_to` counts."""
    clients: int
    """How many live client certificates are on record, counted in the same way."""
    has_unrecorded_clients: bool
    """Whether one of the CAs signed client certificates elsewhere, which are not on record."""
    profiles_without_ca: tuple[str, ...]
    """The profiles in force that it issues for."""
    profiles_without_clients: tuple[str, ...]
    """The profiles in force that no client of a trusted CA may use any more."""

    def sentences(self) -> list[str]:
        """Return the effects, a sentence each, with names and numbers."""
        name, *others = [ca.name for ca in self.authorities]
        said = [f"Whatever leads to {name} is refused from now on, and for good."]
        if others:
            said.append(f"CAs on record that lead to it go with it: {', '.join(others)}.")
        said.append(
            "Live device certificates that stop authenticating: "
            f"{count_in_words(self.devices)}. Live client certificates on record that do: "
            f"{count_in_words(self.clients)}."
        )
        if self.has_unrecorded_clients:
            said.append("Clients whose certificates were signed elsewhere stop too, uncounted.")
        if self.profiles_without_ca:
            said.append(
                "Profiles that are left without a CA, and issue nothing until another is named "
                f"(profile_set PROFILE ca=CA): {', '.join(self.profiles_without_ca)}."
            )
        if self.profiles_without_clients:
            said.append(
                "Profiles that no client can use any more, until another CA is named "
                f"(profile_set PROFILE client_cas=CA): {', '.join(self.profiles_without_clients)}."
            )
        return said


def trust_effects(ca: CertificateAuthority) -> TrustEffects:
    """Return what would stop if ``ca`` were distrusted now. Reads only."""
    trusted = list(CertificateAuthority.objects.exclude(status=Status.REVOKED))
    leading = authorities_leading_to(ca, trusted)
    ids = {row.pk for row in leading}
    in_force = list(CertificateProfile.objects.exclude(active_label=None).order_by("name"))
    client_cas = [row for row in trusted if row.purpose == Purpose.CLIENT and row.is_trusted]
    remaining = {row.name for row in client_cas if row.pk not in ids}
    return TrustEffects(
        authorities=tuple(leading),
        # Only a device CA signs devices' certificates, and only a client CA those of clients.
        devices=_live(row for row in leading if row.purpose == Purpose.DEVICE),
        clients=_live(row for row in leading if row.purpose == Purpose.CLIENT),
        has_unrecorded_clients=any(
            row.purpose == Purpose.CLIENT and not row.is_every_certificate_recorded
            for row in leading
        ),
        profiles_without_ca=tuple(p.name for p in in_force if p.ca_id in ids),
        profiles_without_clients=tuple(
            profile.name
            for profile in in_force
            if ids & {row.pk for row in client_cas if _accepts(profile, row)}
            and not any(_accepts(profile, row) for row in client_cas if row.name in remaining)
        ),
    )


def _accepts(profile: CertificateProfile, ca: CertificateAuthority) -> bool:
    return bool({ca.name, EVERY_CLIENT_CA} & {*profile.client_cas})


def _live(authorities: Iterable[CertificateAuthority]) -> int:
    return count_up_to(IssuedCertificate.objects.filter(ca__in=[*authorities]).live())


def live_certificates(ca: CertificateAuthority) -> int:
    """Return how many live certificates ``ca`` itself signed, to the last one."""
    return IssuedCertificate.objects.filter(ca=ca).live().count()


def live_in_words(ca: CertificateAuthority) -> str:
    """Return how many live certificates ``ca`` itself signed, in the words of a bounded count."""
    return count_in_words(_live([ca]))


def retire_obstacle(ca: CertificateAuthority) -> str:
    """Return why ``ca`` cannot be retired; "" if it can."""
    if ca.status != Status.RETIRING:
        return (
            f"{ca} is {ca.get_status_display().partition(':')[0].lower()}. Only a CA that is "
            "retiring, because it has a successor, can be retired. Make a successor with "
            "ca_successor first, or use distrust_ca for a CA that is compromised."
        )
    return ""
