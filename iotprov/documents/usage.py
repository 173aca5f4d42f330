"""How many certificates the template and the policy hold for."""

from django.db.models import QuerySet

from pki.choices import IoTProvisioning
from pki.models import CertificateProfile, IssuedCertificate
from pki.record.bounded_counts import count_in_words, count_up_to


def users() -> QuerySet[IssuedCertificate]:
    """Return the live certificates that AWS IoT provisions, by whichever version of a profile.

    Every target has the same ones. A device of just-in-time provisioning that never connected is
    among them, because the template is what its first connection will use.
    """
    profiles = CertificateProfile.objects.exclude(iot_provisioning=IoTProvisioning.NONE)
    # Few versions of profiles, so their keys go into the statement in place of a join.
    keys = list(profiles.values_list("pk", flat=True))
    return IssuedCertificate.objects.live().filter(profile__in=keys)


def users_in_words() -> str:
    """Return the number of ``users`` for people: "12", or "more than 10,000"."""
    return count_in_words(count_up_to(users()))
