"""Which IP addresses count as one sender."""

from contextlib import suppress
from ipaddress import ip_network


def sender_of(address: str) -> str:
    """Return what addresses of one sender have in common, or ``address`` if it is no IP address.

    Of IPv6 that is the first 64 bits, because a customer gets at least these
    (https://www.rfc-editor.org/rfc/rfc6177).
    """
    if ":" in address:
        with suppress(ValueError):
            return str(ip_network((address.partition("%")[0], 64), strict=False))
    return address
