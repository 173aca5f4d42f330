"""How many new thing names a client may enroll, within an hour and ever.

One stolen factory certificate could otherwise take any number of names, which stay bound to it. A
client is a certificate, by its signed part. There is no quota for the server as a whole, because
one client could use it up for all others.

The record itself is counted: a row that took a name says of whom (``new_name_of``), and no counter
has to be kept right. Requests that run at once do not see each other, so a quota may be passed by
as many as there are.
"""

import datetime
import math
from collections.abc import Sequence
from typing import Any, Final

from pki.exceptions import QuotaExceeded
from pki.issuance.client_authentication import Client
from pki.models import CertificateProfile, IssuedCertificate, hot_path_sql, hot_path_values
from pki.reasons import Reason

HOUR: Final = datetime.timedelta(hours=1)

RETRY_AFTER_EVER: Final = 86_400
"""Seconds after which a client may try again for which only an operator can do something."""

_NEWEST_BUT: Final = (
    "(SELECT created_at FROM pki_issuedcertificate WHERE new_name_of = %s AND created_at > %s "
    "ORDER BY created_at DESC LIMIT %s OFFSET %s)"
)
"""SQL for the time at which a client took its n-th newest name. LIMIT is 0 without a quota."""

QUOTA_SQL: Final = f"SELECT {_NEWEST_BUT}, {_NEWEST_BUT}"

_EVER: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def look_for_quota(
    client: Client, profile: CertificateProfile, now: datetime.datetime
) -> hot_path_sql.Look | None:
    """Return the look at the names that ``client`` has taken, or None if there is no quota.

    It reads at most as many entries of the index as the quotas allow names.
    """
    per_hour, ever = profile.new_names_per_hour, profile.new_names_ever
    if per_hour is None and ever is None:
        return None
    values = quota_values(client.signed_sha256, per_hour, ever, now)
    return hot_path_sql.Look(QUOTA_SQL, values, list)


def check_new_name(
    client: Client,
    profile: CertificateProfile,
    now: datetime.datetime,
    found: Sequence[tuple[Any, Any]] | None = None,
) -> None:
    """Raise ``QuotaExceeded`` if ``client`` may not take one more name at the time ``now``.

    ``found`` is what ``look_for_quota`` found in this transaction, if it has been there already.
    Otherwise it is one statement, and none if the profile has no quota.
    """
    per_hour, ever = profile.new_names_per_hour, profile.new_names_ever
    look = look_for_quota(client, profile, now)
    if look is None:
        return
    if found is None:
        (found,) = hot_path_sql.fetch_together(look)
    ((nth_within_hour, nth_ever),) = found
    if nth_ever is not None:
        raise QuotaExceeded(
            Reason.NO_MORE_NEW_NAMES,
            f"The client has enrolled {ever} new thing names, which is all that the profile allows "
            "it. Use another client certificate, or have the operator raise new_names_ever.",
            retry_after=RETRY_AFTER_EVER,
        )
    if nth_within_hour is not None:
        seconds = math.ceil((_time(nth_within_hour) + HOUR - now).total_seconds())
        raise QuotaExceeded(
            Reason.TOO_MANY_NEW_NAMES,
            f"The client has enrolled {per_hour} new thing names within an hour, which is all that "
            f"the profile allows. Send the request again in {max(seconds, 1)} seconds.",
            retry_after=max(seconds, 1),
        )


def quota_values(
    signed_sha256: str, per_hour: int | None, ever: int | None, now: datetime.datetime
) -> list[object]:
    """Return the parameters of ``QUOTA_SQL``."""

    def limit(most: int | None, since: datetime.datetime) -> list[object]:
        created_at = hot_path_values.prepared_value(IssuedCertificate, "created_at", since)
        return [signed_sha256, created_at, *((0, 0) if most is None else (1, most - 1))]

    return [*limit(per_hour, now - HOUR), *limit(ever, _EVER)]


def _time(value: datetime.datetime | str) -> datetime.datetime:
    """Return a time as the database gives it. SQLite's are in UTC and do not say so."""
    time = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
