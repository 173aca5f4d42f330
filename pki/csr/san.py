"""Check the subject alternative names that a CSR asks for."""

import re
from typing import Final

from cryptography import x509

from pki.choices import SANRule
from pki.csr.thing_names import shown
from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_SAN_ENTRIES: Final = 16
MAX_URI_LENGTH: Final = 255

# RFC 1034 3.5 as RFC 1123 2.1 relaxes it; RFC 5280 4.2.1.6 demands it of a dNSName. No wildcard.
_DNS_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_DNS_LABEL}(?:\.{_DNS_LABEL})*")
# The characters of RFC 3986 2; RFC 5280 4.2.1.6 wants an absolute URI.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


def check_san(
    requested: x509.SubjectAlternativeName, *, common_name: str, rule: SANRule
) -> x509.SubjectAlternativeName:
    """Return the requested SAN, encoded anew.

    The rule ``none`` allows no SAN. ``own-name`` allows DNS names that are the common name or begin
    with it as a label, and URIs that end with it after ``:`` or ``/``. ``any`` allows all DNS names
    and URIs. Thing names may contain a ``:``, so under ``own-name`` the device ``b`` may have the
    URI ``urn:thing:a:b``. Readers of such a URI should take the thing name from the CN.

    Raises CSRRejected with SAN_NOT_ALLOWED or CSR_TOO_COMPLEX.
    """
    names = list(requested)
    if len(names) > MAX_SAN_ENTRIES:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR's SAN has {len(names)} names. Send at most {MAX_SAN_ENTRIES}.",
        )
    if rule == SANRule.NONE or not names:
        found = "asks for a SAN, which the profile does not allow" if names else "has an empty SAN"
        raise CSRRejected(Reason.SAN_NOT_ALLOWED, f"The CSR {found}. Leave it out.")
    return x509.SubjectAlternativeName(
        [_checked_san_name(name, common_name=common_name, rule=rule) for name in names]
    )


def _checked_san_name(
    name: x509.GeneralName, *, common_name: str, rule: SANRule
) -> x509.GeneralName:
    if isinstance(name, x509.DNSName):
        is_well_formed = _DNS_NAME.fullmatch(name.value) is not None
        # A thing name has no dot, so the first label is the whole thing name or another one.
        is_own = name.value.partition(".")[0].lower() == common_name.lower()
        wanted = f"DNS:{common_name} or DNS:{common_name}.<domain>, in host name syntax"
    elif isinstance(name, x509.UniformResourceIdentifier):
        is_well_formed = len(name.value) <= MAX_URI_LENGTH and bool(_URI.fullmatch(name.value))
        # Only the end of the path names the thing. A query or fragment can end with any text.
        is_own = name.value.endswith((f":{common_name}", f"/{common_name}")) and not (
            {"?", "#"} & set(name.value)
        )
        wanted = f"an absolute URI that ends with ':{common_name}' or '/{common_name}'"
    else:
        raise CSRRejected(
            Reason.SAN_NOT_ALLOWED,
            f"The SAN has a {type(name).__name__}. Use only DNS names and URIs.",
        )
    if not is_well_formed or (rule == SANRule.OWN_NAME and not is_own):
        if rule == SANRule.ANY:
            wanted = f"a host name, or an absolute URI of at most {MAX_URI_LENGTH} characters"
        raise CSRRejected(
            Reason.SAN_NOT_ALLOWED,
            f"The SAN has {shown(name.value)}. The profile allows {wanted}.",
        )
    return type(name)(name.value)
