"""Which certificate a PostgreSQL server has to show. This module alone decides it (threat T70).

``verify-full`` is the only mode of libpq that compares the certificate with the name that was
called: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
"""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

VERIFY_FULL = "verify-full"
RDS_CA_BUNDLE = Path(__file__).with_name("rds-ca-bundle.pem")
"""Amazon RDS's own CAs, by which its instances and clusters are verified. AWS keeps the file at
https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem: docs/vpc.md says how to renew it.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""
_RDS_DOMAINS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")
_RDS_REGION = 2
"""Where an RDS host names its region: name.account-part.region.rds.amazonaws.com."""
_PROXY = "proxy-"
"""How the second part of an RDS Proxy's host begins. Its certificate is one of ACM's:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.howitworks.html
"""


def tls_options(host: str, given: Mapping[str, object]) -> dict[str, str]:
    """Return libpq's ``sslmode`` and ``sslrootcert`` for ``host``, beside the ``given`` options.

    A host of RDS is always verified, because its CAs are known. Another host is verified unless
    ``given`` has another ``sslmode``. Nothing is asked of this machine: a Unix socket or loopback.
    """
    if is_this_machine(host):
        return {}
    if not is_rds(host) and given.get("sslmode", VERIFY_FULL) != VERIFY_FULL:
        return {}
    root = str(given.get("sslrootcert") or "") or _roots_for(host)
    return {"sslmode": VERIFY_FULL, **({"sslrootcert": root} if root else {})}


def is_rds(host: str) -> bool:
    """Whether Amazon RDS or Aurora serves that host."""
    return host.lower().rstrip(".").endswith(_RDS_DOMAINS)


def rds_region(host: str) -> str:
    """Return the region that a host of RDS is in; "" for another host."""
    parts = host.lower().split(".")
    return parts[_RDS_REGION] if is_rds(host) and len(parts) > _RDS_REGION else ""


def is_this_machine(host: str) -> bool:
    """Whether ``host`` is a Unix socket's directory, loopback, or empty, which is a socket too."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def explained(host: str, text: str) -> str:
    """Return what to do about a failed connection whose libpq ``text`` is about TLS; else ""."""
    if not any(words in text for words in _ABOUT_TLS):
        return ""
    if is_rds(host):
        advice = (
            f"Its CA has to be in {RDS_CA_BUNDLE.name} of the package. For a region that is newer "
            "than the package, renew that file as docs/vpc.md says."
        )
    else:
        advice = (
            "Append sslrootcert=/path/to/ca.pem to the database URL, with the CA of its "
            "certificate. To connect without verifying it, append sslmode=require."
        )
    return f"The database server {host} did not prove its name by TLS. {advice} {text}"


_ABOUT_TLS = (
    "certificate verify failed",
    "does not match host name",
    "root certificate file",
    "could not load system root certificate paths",
    "server does not support SSL",
    "self-signed certificate",
)


def _roots_for(host: str) -> str:
    """Return the file of CAs for a host, or "" for libpq's own default."""
    if is_rds(host) and not host.lower().split(".")[1].startswith(_PROXY):
        return str(RDS_CA_BUNDLE)
    # libpq's default. The file of a person wins over the public CAs, as without this server.
    if (Path.home() / ".postgresql" / "root.crt").is_file():
        return ""
    return public_roots()


@cache
def public_roots() -> str:
    """Return the file of public CAs that travels with botocore.

    ``sslrootcert=system`` would look in a directory of psycopg's builder, which is not there.
    """
    spec = find_spec("botocore")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    return next(
        (str(file) for place in places if (file := Path(place, "cacert.pem")).is_file()), ""
    )
