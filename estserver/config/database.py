"""From a database URL to Django's ``DATABASES["default"]``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from estserver.config.errors import ConfigError

SQLITE_FILE = "est.sqlite3"
DSQL = "dsql"
"""The choice of `database` that is a cluster of Aurora DSQL, which the deployment makes."""
WANTED = (
    "Wanted: postgresql://user:password@host:port/name, dsql://user@host/postgres or "
    "sqlite:///path."
)
SECRET_NAME = "SECRET_NAME"  # noqa: S105 - no secret, but the setting that names one
IAM_LOGIN = "IAM_LOGIN"
"""The setting that says that IAM's token is the password: see `estserver.postgresql`."""
POSTGRESQL_BACKEND = "estserver.postgresql"
DSQL_BACKEND = "estserver.dsql"
_DSQL_ADAPTER = "aurora_dsql_django"

# The parameters that a URL may hand to libpq. "options" is not among them, because the limits below
# are set there.
_POSTGRESQL_PARAMETERS = frozenset(
    {
        "application_name",
        "connect_timeout",
        "hostaddr",
        "host",  # the directory of a Unix socket, which a URL cannot have as its host
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
# A server whose machine or network is gone sends nothing, not even a reset. Without these, a thread
# would wait for it a quarter of an hour, and the kernel's own keepalive begins after two hours:
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-KEEPALIVES
_GONE_AFTER = {
    "keepalives_idle": 10,  # seconds without a word until the kernel asks, then
    "keepalives_interval": 5,  # how often, and
    "keepalives_count": 3,  # how often without an answer
    "tcp_user_timeout": 20_000,  # milliseconds until what was sent has to be acknowledged
}
LONGEST_IDLE_SECONDS = 86_400
# Parameters of ours, which libpq does not know.
_SECRET, _IAM, _IDLE = "secret", "iam", "idle_seconds"
_OWN_PARAMETERS = frozenset({_SECRET, _IAM, _IDLE})
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def database_settings(url: str, *, data_dir: Path, secret_name: str = "") -> dict[str, Any]:
    """Return Django's settings for one database.

    An empty ``url`` is SQLite in ``data_dir``. So is ``sqlite:///path``, relative to it, and
    ``sqlite:////path`` with an absolute path. ``postgresql://`` and ``postgres://`` are
    PostgreSQL, with user and password percent-encoded. ``dsql://`` is Aurora DSQL. With
    ``secret_name``, or the parameter ``secret`` of the URL, it is PostgreSQL, and the secret adds
    what ``url`` leaves out when a connection is made. With the parameter ``iam=true`` the password
    is a token of IAM's. With ``idle_seconds`` the server closes a connection that is idle for as
    long, so that a database that can pause does so.

    Raises ConfigError for anything else. Its text never holds the password.
    """
    if secret_name:
        return _postgresql_with_secret(url, secret_name)
    if not url:
        return _sqlite(data_dir / SQLITE_FILE)
    if named := secret_in(url):
        return _postgresql_with_secret(url, named)
    parts = _parts_of(url)
    if parts.scheme == "sqlite":
        return _sqlite(_sqlite_path(parts, data_dir))
    if parts.scheme in {"postgresql", "postgres"}:
        return _postgresql(parts)
    if parts.scheme == "dsql":
        return _dsql(parts)
    found = f"begins with {parts.scheme}://" if _names_scheme(url, parts) else "has no scheme"
    raise ConfigError(f"The database URL {found}. {WANTED}")


def has_password(url: str) -> bool:
    """Return whether a database URL has a password in it, in either of the two places for one."""
    parts = urlsplit(url)
    return parts.password is not None or "password=" in parts.query


def secret_in(url: str) -> str:
    """Return the secret that a PostgreSQL URL names by its parameter ``secret``; "" for none.

    Raises ConfigError for a URL that cannot be taken apart.
    """
    parts = _parts_of(url)
    is_postgresql = parts.scheme in {"postgresql", "postgres"}
    return dict(parse_qsl(parts.query)).get(_SECRET, "") if is_postgresql else ""


def iam_user_in(url: str) -> str:
    """Return the user of a PostgreSQL URL with ``iam=true``; "" for another URL."""
    parts = urlsplit(url)
    is_postgresql = parts.scheme in {"postgresql", "postgres"}
    has_iam = is_postgresql and _IAM in dict(parse_qsl(parts.query))
    return unquote(parts.username or "") if has_iam else ""


def address_url(
    host: str, port: str, name: str, *, secret: str = "", iam_user: str = "", idle_seconds: int = 0
) -> str:
    """Return the URL of a PostgreSQL database without a password.

    User and password are those of ``secret``, or ``iam_user`` and a token of IAM's.
    """
    user = f"{quote(iam_user, safe='')}@" if iam_user else ""
    said = {_SECRET: secret, _IAM: "true" if iam_user else "", _IDLE: str(idle_seconds or "")}
    query = urlencode({key: value for key, value in said.items() if value})
    return f"postgresql://{user}{host}:{port}/{name}?{query}"


def _postgresql_with_secret(url: str, secret_name: str) -> dict[str, Any]:
    """Return what is known before ``estserver.postgresql_secret`` reads the secret."""
    parts = _parts_of(url or "postgresql:///")
    named = dict(parse_qsl(parts.query))
    is_other = parts.scheme not in {"postgresql", "postgres"} or parts.password
    if is_other or _IAM in named or named.get(_SECRET, secret_name) != secret_name:
        raise ConfigError(
            "databaseSecretName is set too, and only postgresql://host:port/name, without a "
            "password, goes with it. Leave out one of the two."
        )
    return {
        **_postgresql(parts, is_whole=False),
        "ENGINE": "estserver.postgresql_secret",
        SECRET_NAME: secret_name,
    }


def _parts_of(url: str) -> SplitResult:
    parts = _split(url)
    # Raised here and not where the parser failed, because a traceback would show the parser's
    # exception as the cause, and that quotes pieces of the URL: a password that is not encoded.
    if parts is None:
        raise ConfigError(
            "The database URL cannot be taken apart. Percent-encode special characters of user "
            "and password (%40 for @, %2F for /, %23 for #, %3F for ?)."
        )
    return parts


def _split(url: str) -> SplitResult | None:
    """Return the URL's parts, or None when it cannot be split."""
    try:
        parts = urlsplit(url)
        for text in (parts.username, parts.password, parts.path):
            unquote(text or "", errors="strict")
        # An unencoded "/", "#" or "?" in a password ends the authority early (RFC 3986 3.2), and
        # leaves half of the password where the port belongs.
        _ = parts.port
    except ValueError:
        return None
    return parts


def _names_scheme(url: str, parts: SplitResult) -> bool:
    """Return whether the scheme is one. In ``user:password@host`` it would be the user."""
    return bool(parts.scheme) and url.lower().startswith(f"{parts.scheme}://")


def _sqlite_path(parts: SplitResult, data_dir: Path) -> Path:
    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or parts.query or parts.fragment or not path:
        raise ConfigError(
            "The database URL of SQLite has a path and nothing else. Wanted: sqlite:///path."
        )
    if path == ":memory:":
        raise ConfigError(
            "A database in memory forgets which certificates were issued. Name a file: "
            "sqlite:///path."
        )
    return data_dir / path


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        # A connection runs its PRAGMAs each time it is opened, so it stays open.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # An issuance reads the denylist and then inserts. With SQLite's default mode, a
            # transaction that begins as a reader cannot become the writer while another one is:
            # it fails at once instead of waiting (https://sqlite.org/lang_transaction.html).
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds to wait for the writer
            "init_command": (
                "PRAGMA journal_mode=WAL; "  # readers do not wait for the writer
                "PRAGMA synchronous=FULL; "  # a recorded certificate survives a power cut
                "PRAGMA journal_size_limit=67108864; "  # 64 MiB: a burst's log shrinks again
                "PRAGMA wal_autocheckpoint=2000; "  # 8 MiB: a page is copied less often
                "PRAGMA cache_size=-16384; "  # 16 MiB
                "PRAGMA mmap_size=268435456;"  # 256 MiB: no system call for each page read
            ),
        },
    }


def _postgresql(parts: SplitResult, *, is_whole: bool = True) -> dict[str, Any]:
    name = unquote(parts.path).removeprefix("/")
    if (is_whole and not name) or "/" in name:
        raise ConfigError(f"The database URL names no database after the host. {WANTED}")
    if parts.fragment:
        raise ConfigError("The database URL has a '#'. Percent-encode it as %23.")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    _check_parameters(parameters, own=frozenset() if parts.scheme == "dsql" else _OWN_PARAMETERS)
    own = {key: parameters.pop(key) for key in _OWN_PARAMETERS if key in parameters}
    if own.get(_SECRET) == "":
        raise ConfigError("The database URL's secret has no name. Name it, or leave it out.")
    if _IAM in own:
        _check_iam_login(parts, own[_IAM])
    # Limits in milliseconds. API Gateway gives a request 29 s. A device that is answered 503 comes
    # again; a statement that goes on holds a connection that others wait for.
    limits = {
        "statement_timeout": 5_000,
        "lock_timeout": 3_000,
        "idle_in_transaction_session_timeout": 10_000,
        **({"idle_session_timeout": _idle_milliseconds(own[_IDLE])} if _IDLE in own else {}),
    }
    return {
        "ENGINE": POSTGRESQL_BACKEND,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parameters.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        # On Lambda, one environment has one connection, for as long as it works.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            **_GONE_AFTER,
            **parameters,
            "options": " ".join(f"-c {key}={value}" for key, value in limits.items()),
        },
        **({IAM_LOGIN: True} if _IAM in own else {}),
    }


def _idle_milliseconds(value: str) -> int:
    """Return after which time the server closes a connection that nothing is asked on.

    A function cannot do so, because Lambda stops it between two requests. Aurora pauses only when
    no client is connected.
    """
    if not value.isascii() or not value.isdigit() or not 0 < int(value) <= LONGEST_IDLE_SECONDS:
        raise ConfigError(
            "The database URL's idle_seconds is not a number of seconds from 1 to "
            f"{LONGEST_IDLE_SECONDS}. Correct it, or leave it out."
        )
    return int(value) * 1000


def _check_iam_login(parts: SplitResult, value: str) -> None:
    if value != "true":
        raise ConfigError("The database URL's iam is not true. Write iam=true, or leave it out.")
    if parts.password or not parts.username:
        raise ConfigError(
            "The database URL has iam=true, so that IAM hands out a token for each connection. "
            "Wanted: postgresql://user@host:port/name?iam=true, with a user and without a password."
        )


def _dsql(parts: SplitResult) -> dict[str, Any]:
    """Return the settings of Aurora DSQL, which is PostgreSQL to clients, without a password.

    Its own limits stand in place of ``statement_timeout``: five minutes for a transaction, an hour
    for a connection, of which fifty minutes are used.
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
    """
    if parts.password:
        raise ConfigError(
            "The database URL of Aurora DSQL has no password, because IAM hands out a token for "
            "each connection. Wanted: dsql://user@host/postgres."
        )
    if find_spec(_DSQL_ADAPTER) is None:
        raise ConfigError(
            "The database URL begins with dsql://, and Aurora DSQL's adapter is not installed. "
            "Install requirements.txt, or name a PostgreSQL database."
        )
    settings = _postgresql(parts)
    del settings["OPTIONS"]["options"]
    return {
        **settings,
        "ENGINE": DSQL_BACKEND,
        "CONN_MAX_AGE": 50 * 60,
    }


def _check_parameters(parameters: dict[str, str], *, own: frozenset[str]) -> None:
    known = _POSTGRESQL_PARAMETERS | own
    if unknown := sorted(parameters.keys() - known):
        # Only the count, because the rest of a password with an unencoded "?" stands here.
        raise ConfigError(
            f"The database URL has {len(unknown)} parameter(s) after '?' that are not known. "
            f"Wanted: some of {', '.join(sorted(known))}."
        )
    if "sslmode" in parameters and parameters["sslmode"] not in _SSL_MODES:
        raise ConfigError(f"The database URL's sslmode is not one of {', '.join(_SSL_MODES)}.")
