"""Which addresses a webhook may lead to: public ones, and the hosts that the configuration lists.

Otherwise a person with the web admin could have this server call what only this server can reach:
its own loopback, the metadata of its machine (169.254.169.254, fd00:ec2::254), the network behind
it (threat T32). What is checked is the address that is called, not the name.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

from django.conf import settings

from pki.operators.errors import OperatorError

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator, in the last 32 bits (https://www.rfc-editor.org/rfc/rfc6052)."""
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that is assigned for use between networks
(https://www.iana.org/assignments/ipv6-address-space)."""
_SPECIAL_V4: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, which older Pythons call global in part
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
)
_SPECIAL_V6: Final = (
    IPv6Network("2001::/23"),  # protocol assignments, of which Teredo tunnels to any IPv4 address
    IPv6Network("2002::/16"),  # 6to4, which does too
    IPv6Network("3fff::/20"),  # documentation (https://www.rfc-editor.org/rfc/rfc9637)
)


class AddressRefused(OperatorError):
    """A webhook's host has an address that must not be called."""


def is_public(text: str) -> bool:
    """Return whether an address is one of the internet, also an IPv4 address inside of IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    inner = _inner(address)
    if inner is not None:
        return _is_public_v4(inner)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in network for network in _SPECIAL_V6)
    )


def check_addresses(host: str, addresses: Sequence[str]) -> None:
    """Raise ``AddressRefused`` unless all are public, or the configuration lists ``host``.

    One bad address among good ones is enough, because only a mistake or an attack has both.
    """
    if host.casefold().rstrip(".") in _listed():
        return
    refused = sorted({address for address in addresses if not is_public(address)})
    if refused:
        raise AddressRefused(
            f"{host} has the address {', '.join(refused)}, which is not a public one. If the "
            "webhook is meant to lead there, list the host in webhookAllowedHosts."
        )


def _listed() -> frozenset[str]:
    hosts = settings.CONFIG.properties.webhook_allowed_hosts
    return frozenset(host.casefold().strip("[]") for host in hosts)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address end at, or None."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _SPECIAL_V4)
    )
