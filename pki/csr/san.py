"""Check and compare the subject alternative names that a CSR asks for."""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from pki.choices import SANExcess, SANRule
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


@dataclass(frozen=True, slots=True)
class CheckedSAN:
    """What is certified of the names that a CSR asks for, and what is left out."""

    san: x509.SubjectAlternativeName | None
    """Encoded anew; only DNS names and URIs."""
    left_out: tuple[x509.GeneralName, ...]


def check_san(
    requested: x509.SubjectAlternativeName,
    *,
    common_name: str,
    rule: SANRule,
    excess: SANExcess,
    own_names: Set[str] = frozenset(),
) -> CheckedSAN:
    """Return what is certified of the requested SAN.

    The rule ``none`` allows no SAN. ``own-name`` allows DNS names that are the common name or begin
    with it as a label, and URIs that end with it after ``:`` or ``/``. ``any`` allows all DNS names
    and URIs. Thing names may contain a ``:``, so under ``own-name`` the device ``b`` may have the
    URI ``urn:thing:a:b``. Readers of such a URI should take the thing name from the CN.

    ``excess`` decides whether names that are not allowed are left out, or refuse the CSR. No rule
    allows one of ``own_names``, the server's; under ``any`` they are left out in either case.

    Raises CSRRejected with SAN_NOT_ALLOWED or CSR_TOO_COMPLEX.
    """
    names = list(requested)
    if len(names) > MAX_SAN_ENTRIES:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR's SAN has {len(names)} names. Send at most {MAX_SAN_ENTRIES}.",
        )
    if not names:
        raise CSRRejected(Reason.SAN_NOT_ALLOWED, "The CSR has an empty SAN. Leave it out.")
    allowed: list[x509.GeneralName] = []
    left_out: list[x509.GeneralName] = []
    for name in names:
        refusal = _refusal(name, common_name=common_name, rule=rule, own_names=own_names)
        if not refusal:
            allowed.append(type(name)(name.value))
        elif excess == SANExcess.REFUSE and not _was_allowed(name, rule, own_names):
            raise CSRRejected(Reason.SAN_NOT_ALLOWED, refusal)
        else:
            left_out.append(name)
    return CheckedSAN(
        x509.SubjectAlternativeName(allowed) if allowed else None,
        tuple(left_out),
    )


def _was_allowed(name: x509.GeneralName, rule: SANRule, own_names: Set[str]) -> bool:
    """Return whether ``any`` allowed a name before the server's own were left out.

    Such a fleet asks for the name in every CSR. It must go on enrolling, without the name.
    """
    return rule == SANRule.ANY and is_own_name(name, own_names)


def is_own_name(name: x509.GeneralName, own_names: Set[str]) -> bool:
    """Return whether a name is one of the server's, or a URI on a host of that name."""
    if isinstance(name, x509.DNSName):
        host = name.value
    elif isinstance(name, x509.UniformResourceIdentifier):
        try:
            host = urlsplit(name.value).hostname or ""
        except ValueError:
            return False
    else:
        return False
    return is_server_name(host, own_names)


def is_server_name(host: str, own_names: Set[str]) -> bool:
    """Return whether ``host`` is one of ``own_names``, in any letter case, with or without dot."""
    return host.rstrip(".").lower() in {name.rstrip(".").lower() for name in own_names}


def renewed_san(
    requested: CheckedSAN, on_file: x509.SubjectAlternativeName | None, own_names: Set[str]
) -> tuple[CheckedSAN, x509.SubjectAlternativeName | None]:
    """Return what a renewal asks for, and what it gets: the names on file but for ``own_names``.

    A name that is on file is not left out of the request, whatever the rule is now. So a renewal
    never loses a name, unless it is one of the server's.
    """
    kept = [name for name in on_file or () if not is_own_name(name, own_names)]
    known = {folded(name) for name in kept}
    asked = [*(requested.san or ()), *(n for n in requested.left_out if folded(n) in known)]
    left_out = [name for name in requested.left_out if folded(name) not in known]
    lost = [name for name in on_file or () if name not in kept and name not in left_out]
    return (
        CheckedSAN(x509.SubjectAlternativeName(asked) if asked else None, (*left_out, *lost)),
        x509.SubjectAlternativeName(kept) if kept else None,
    )


def name_texts(names: Iterable[x509.GeneralName]) -> list[str]:
    """Return names as text for a log or the audit trail, with their kind."""
    return [f"{type(name).__name__} {shown(str(name.value))}" for name in names]


def sans_equal(
    a: x509.SubjectAlternativeName | None, b: x509.SubjectAlternativeName | None
) -> bool:
    """Return whether two SANs have the same names, in any order. None is a SAN without names.

    DNS names are compared without regard to case (RFC 5280 7.2), all others exactly.
    """
    return {folded(name) for name in a or ()} == {folded(name) for name in b or ()}


def folded(name: x509.GeneralName) -> x509.GeneralName:
    """Return a name in the form in which two names are compared (RFC 5280 7.2)."""
    return x509.DNSName(name.value.lower()) if isinstance(name, x509.DNSName) else name


def _refusal(
    name: x509.GeneralName, *, common_name: str, rule: SANRule, own_names: Set[str]
) -> str:
    """Return why a name is not certified, as a refusal's sentences; "" if it is."""
    if rule == SANRule.NONE:
        return "The CSR asks for a SAN, which the profile does not allow. Leave it out."
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
        return f"The SAN has a {type(name).__name__}. Use only DNS names and URIs."
    if is_own_name(name, own_names):
        return f"The SAN has {shown(name.value)}, which is this server's own name. Leave it out."
    if not is_well_formed or (rule == SANRule.OWN_NAME and not is_own):
        if rule == SANRule.ANY:
            wanted = f"a host name, or an absolute URI of at most {MAX_URI_LENGTH} characters"
        return f"The SAN has {shown(name.value)}. The profile allows {wanted}."
    return ""
