"""Encode certificates as a certs-only CMS message (RFC 5272 4.1, RFC 5652 5.1).

The message is a few bytes around certificates that are DER already. The encoder of ``cryptography``
is not used, because it imports S/MIME and with it Python's ``email`` at each cold start.
"""

import base64
from collections.abc import Iterable

from pki.encoding.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET, tlv

_CONTEXT_0 = b"\xa0"
_ID_DATA = bytes.fromhex("2a864886f70d010701")  # 1.2.840.113549.1.7.1
_ID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def certs_only(certificates: Iterable[bytes]) -> bytes:
    """Return a ContentInfo in DER: SignedData without signers, with ``certificates``, each once.

    They are a SET OF, whose order DER fixes (X.690 11.6). It has no meaning for a reader.
    """
    signed_data = tlv(
        SEQUENCE,
        tlv(INTEGER, b"\x01")  # version
        + tlv(SET, b"")  # digestAlgorithms
        + tlv(SEQUENCE, tlv(OBJECT_IDENTIFIER, _ID_DATA))  # encapContentInfo, without content
        + tlv(_CONTEXT_0, b"".join(sorted(set(certificates))))
        + tlv(SET, b""),  # signerInfos
    )
    return tlv(SEQUENCE, tlv(OBJECT_IDENTIFIER, _ID_SIGNED_DATA) + tlv(_CONTEXT_0, signed_data))


def der_of(pem: str) -> list[bytes]:
    """Return the certificates of PEM text in DER, in its order. The text is the record's own."""
    blocks = pem.split(_BEGIN)[1:]
    return [base64.b64decode(block.partition(_END)[0]) for block in blocks]
