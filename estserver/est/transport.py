"""What the TLS socket says about the client: its certificate, and the chain that TLS verified."""

import ssl
from collections import OrderedDict
from typing import Any

ENCODING_DER = 2
"""``_ssl.ENCODING_DER``, which is not public before Python 3.13."""


SESSIONS = 20_480
"""How many sessions OpenSSL caches, and how many chains are remembered, the latest ones.
https://docs.openssl.org/3.0/man3/SSL_CTX_sess_set_cache_size/"""

_issuers_by_session: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
_same_issuers: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}


def peer_certificate(connection: Any) -> bytes | None:
    """Return the client's certificate in DER, or ``None`` if it sent none.

    Args:
        connection: an `ssl.SSLSocket` or `ssl.SSLObject` after its handshake. Anything else, such
            as the socket of plain HTTP or ``None``, has no client certificate.
    """
    if not hasattr(connection, "getpeercert"):
        return None
    try:
        certificate: bytes | None = connection.getpeercert(binary_form=True)
    except ValueError:  # OpenSSL forgets the handshake of a connection that broke
        return None
    return certificate or None


def peer_chain(connection: Any) -> tuple[bytes, ...]:
    """Return the client's verified chain in DER, its own certificate first.

    The chain is empty for a client without a certificate, and once the connection is broken.

    OpenSSL built and verified this chain: it ends with a certificate of the truststore, and holds
    none of the other certificates that the client sent. For a resumed TLS 1.2 session, in which
    the client sends no certificate, it is the chain that `remember_chain` noted.

    Args:
        connection: as for `peer_certificate`.
    """
    leaf = peer_certificate(connection)
    if leaf is None or not isinstance(connection, ssl.SSLSocket | ssl.SSLObject):
        return ()
    try:
        if connection.session_reused:
            session = connection.session
            return (leaf, *_issuers_by_session.get(session.id if session else b"", ()))
        return _verified_chain(connection) or (leaf,)
    except ValueError:  # the connection broke after `peer_certificate` had read from it
        return ()


def remember_chain(connection: Any) -> None:
    """Note the verified chain of a TLS 1.2 session, which OpenSSL forgets and clients may resume.

    Python cannot switch OpenSSL's own session cache off. Call this after each handshake. TLS 1.3
    resumes with tickets alone, and this server sends none.

    Args:
        connection: an `ssl.SSLSocket` or `ssl.SSLObject` after its handshake.
    """
    if connection.version() != "TLSv1.2" or connection.session_reused:
        return  # Python copies a session to give it, which takes as long as a request's head
    session = connection.session
    if session is None:
        return
    issuers = peer_chain(connection)[1:]
    if issuers:
        # Sessions by the thousand share a few chains of issuers, so each is in memory once.
        if len(_same_issuers) >= SESSIONS:
            _same_issuers.clear()
        _issuers_by_session[session.id] = _same_issuers.setdefault(issuers, issuers)
        while len(_issuers_by_session) > SESSIONS:
            _issuers_by_session.popitem(last=False)


def _verified_chain(connection: Any) -> tuple[bytes, ...]:
    if hasattr(connection, "get_verified_chain"):  # public since Python 3.13
        return tuple(connection.get_verified_chain())
    chain = connection._sslobj.get_verified_chain() or ()
    return tuple(certificate.public_bytes(ENCODING_DER) for certificate in chain)
