"""Run the application for one request, and hold its whole answer."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from gunicorn.http import errors, wsgi  # type: ignore[import-untyped]

from estserver.local_server.reply import ClientGone, Reply, refusal

_CLIENT_FAULTS = (
    ClientGone,
    errors.NoMoreData,
    errors.InvalidChunkSize,
    errors.InvalidChunkExtension,
    errors.ChunkMissingTerminator,
)
"""The errors that a client can cause while the application reads the body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be sent, and whether the connection stays open. No byte: hang up."""

    data: bytes
    keeps: bool


class Application(Protocol):
    """What is needed of the gunicorn worker."""

    cfg: Any
    log: Any
    wsgi: Any
    """The WSGI application."""


class _Held:
    """Takes what a reply writes to its socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def sendall(self, data: bytes | bytearray) -> None:
        self.data += data


def answer(
    worker: Application, request: Any, stream: Any, peer: Any, server: Any, *, keeps: bool
) -> Answer:
    """Return what the application answers.

    ``stream`` is what tells the client's certificate: an `ssl.SSLObject`. ``keeps`` is whether the
    connection may stay open after this request.
    """
    held = _Held()
    reply, environ = wsgi.create(request, stream, peer, server, worker.cfg, response_class=Reply)
    reply.sock = held
    environ["wsgi.multithread"] = True
    if not keeps:
        reply.force_close()
    body: Any = None
    try:
        body = worker.wsgi(environ, reply.start_response)
        for part in body:
            reply.write(part)
        reply.close()
    except _CLIENT_FAULTS as error:
        worker.log.debug("%s: connection lost: %s", peer[0], error)
        return Answer(b"", keeps=False)
    except Exception:  # a bug; the client is told, and the process goes on
        worker.log.exception("error handling request %s %s", request.method, request.uri)
        return Answer(refusal(HTTPStatus.INTERNAL_SERVER_ERROR), keeps=False)
    finally:
        if hasattr(body, "close"):
            body.close()
    return Answer(bytes(held.data), keeps=not reply.should_close())
