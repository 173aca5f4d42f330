"""What the TLS socket says about the client: its certificate, and the chain that TLS verified."""

import ssl
from typing import Any

ENCODING_DER = 2
"""``_ssl.ENCODING_DER``, which is not public before Python 3.13."""


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
    none of the other certificates that the client sent. OpenSSL does not keep the chain of a
    resumed TLS 1.2 session. There the client's own certificate is the whole result.

    Args:
        connection: as for `peer_certificate`.
    """
    leaf = peer_certificate(connection)
    if leaf is None or not isinstance(connection, ssl.SSLSocket | ssl.SSLObject):
        return ()
    try:
        return _verified_chain(connection) or (leaf,)
    except ValueError:  # the connection broke after `peer_certificate` had read from it
        return ()


def _verified_chain(connection: Any) -> tuple[bytes, ...]:
    if hasattr(connection, "get_verified_chain"):  # public since Python 3.13
        return tuple(connection.get_verified_chain())
    chain = connection._sslobj.get_verified_chain() or ()
    return tuple(certificate.public_bytes(ENCODING_DER) for certificate in chain)
