"""A certificate on record to show what a document makes of a device."""

from pki.models import IssuedCertificate

_LOOKED_AT = 50
"""The newest rows. Among these a device's certificate is found in any installation that is used."""

State = IssuedCertificate.State


def newest_serial_number() -> str:
    """Return the serial number of the newest certificate of a device; "" if there is none."""
    rows = IssuedCertificate.objects.order_by("-pk").values_list(
        "serial_number", "state", "profile_id"
    )
    signed = (State.ISSUED, State.SUPERSEDED)
    return next(
        (
            serial
            for serial, state, profile in rows[:_LOOKED_AT]
            if profile is not None and state in signed
        ),
        "",
    )
