"""Compare distinguished names as RFC 5280 7.1 says.

Everything that compares an issuer with a subject asks here: the search for a client's CA, imported
chains, the truststore, and renewals. That two names are the same says nothing about keys, so a
signature is verified in any case.
"""

import unicodedata
from typing import TypeAlias

from cryptography import x509

NameKey: TypeAlias = tuple[tuple[tuple[str, str | bytes], ...], ...]
"""Equal for names that are the same by RFC 5280 7.1; fit for a dictionary's key."""


def name_key(name: x509.Name) -> NameKey:
    """Return what two names have in common exactly when they are the same by RFC 5280 7.1.

    The order of the RDNs counts. String types, letter case and runs of spaces do not. Libraries
    re-encode names when they renew, so a comparison of bytes would refuse honest devices.
    """
    return tuple(map(_comparable, name.rdns))


def names_equal(a: x509.Name, b: x509.Name) -> bool:
    """Return whether two names are the same by RFC 5280 7.1."""
    return a == b or name_key(a) == name_key(b)  # most have the same letters, which is cheaper


def _comparable(rdn: x509.RelativeDistinguishedName) -> tuple[tuple[str, str | bytes], ...]:
    """Return an RDN in a fixed order, because it is a set without one (X.501 9.3)."""
    return tuple(
        sorted(
            (
                (
                    attribute.oid.dotted_string,
                    _prepared(attribute.value)
                    if isinstance(attribute.value, str)
                    else attribute.value,
                )
                for attribute in rdn
            ),
            key=repr,  # text and bytes cannot be ordered among themselves
        )
    )


def _prepared(value: str) -> str:
    """Return a string prepared for comparison: the main steps of RFC 4518 (RFC 5280 7.1)."""
    # Case is folded between two normalisations, because folding can undo the first one.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    return " ".join(folded.split())
