"""One connection's TLS in memory: bytes of the network on one side, of HTTP on the other."""

import ssl

from estserver.est.transport import remember_chain

READ_BYTES = 64 * 1024


class TLSStream:
    """The server's side of TLS, without a socket, so that no thread waits for a client.

    https://docs.python.org/3/library/ssl.html#memory-bio-support
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        """What tells the client's certificate, which the application gets."""
        self.is_open = False
        """Whether the handshake is complete."""
        self.has_ended = False
        """Whether the client has said goodbye."""

    def receive(self, data: bytes) -> None:
        """Take bytes that came from the network."""
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake. Return whether it is complete.

        Raises:
            ssl.SSLError: the client's bytes or its certificate are refused. `outgoing` may have an
                alert for it.
        """
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_open = True
        remember_chain(self.object)
        return True

    def read(self) -> bytes:
        """Return what the client has said so far; nothing if there is nothing more.

        Raises ``ssl.SSLError`` for bytes that are not TLS.
        """
        pieces = []
        try:
            while piece := self.object.read(READ_BYTES):
                pieces.append(piece)
            self.has_ended = True  # an SSLObject returns no byte then, or raises
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Encrypt ``data`` for the client. `outgoing` has the result."""
        self.object.write(data)

    def say_goodbye(self) -> None:
        """Write TLS's close_notify (RFC 8446 6.1).

        TLS 1.2 is left out. OpenSSL would keep a session that was closed properly for two hours,
        for a client that resumes it, and Python has no way to prevent that. Every reply has a
        length, so no client takes a broken connection for the end of a reply.
        """
        if self.object.version() == "TLSv1.3":
            try:
                self.object.unwrap()
            except ssl.SSLError:  # the client's own close_notify is not awaited
                return

    def outgoing(self) -> bytes:
        """Return the bytes to send to the network, once."""
        return self._outgoing.read()
