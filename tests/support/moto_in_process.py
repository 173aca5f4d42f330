"""Calls of this process to its own moto server, answered without a socket.

Half of the time of a call went into TCP, a thread for each request, and HTTP written and parsed
twice. botocore's requests to this server are handed to the server's WSGI application in the thread
that calls. They keep everything else: botocore's serialization, signature, retries and faults
before it, and moto's dispatcher behind it. Other processes (commands, functions, forks) reach the
same account over HTTP, as does a body of unknown length.
"""

import io
import os
from http.client import HTTPMessage
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from moto.moto_server.werkzeug_app import MotoRequestHandler
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.exceptions import InternalServerError
from werkzeug.test import run_wsgi_app

_over_http = URLLib3Session.send
_servers = {}
"""The werkzeug servers of this process, by address as in a URL."""
_owner = os.getpid()


def answer_in_process(server):
    """Answer requests to this server of werkzeug's in the thread that sends them, from now on."""
    host, port = server.server_address[:2]
    _servers[f"{host}:{port}"] = server
    URLLib3Session.send = _send


def answer_over_http(server):
    """Undo ``answer_in_process``."""
    _servers.pop("{}:{}".format(*server.server_address[:2]), None)
    if not _servers:
        URLLib3Session.send = _over_http


def _send(session, request):
    """Do what ``URLLib3Session.send`` does. A fork has a copy of the account, and must not ask it.

    Returns an ``AWSResponse``.
    """
    server = _servers.get(urlsplit(request.url).netloc)
    chunked = "transfer-encoding" in request.headers
    if server is None or chunked or os.getpid() != _owner:
        return _over_http(session, request)
    raw = _answer(server, request)
    response = AWSResponse(request.url, raw.status, raw.headers, raw)
    if not request.stream_output:
        response.content  # noqa: B018 - reads it, as URLLib3Session does
    return response


def _answer(server, request):
    """Return urllib3's response with what the application answers; an exception is a 500."""
    handler = _Handler(server, request)
    environ = handler.make_environ()
    try:
        chunks, status, headers = run_wsgi_app(server.app, environ, buffered=True)
    except Exception as error:  # noqa: BLE001 - werkzeug's server answers every one with this
        handler.log("error", f"Error on request: {error!r}")
        chunks, status, headers = run_wsgi_app(InternalServerError(), environ, buffered=True)
    fields = HTTPHeaderDict(headers.items())
    fields.setdefault("Date", handler.date_time_string())
    fields["Connection"] = "close"
    return HTTPResponse(
        body=io.BytesIO(b"".join(chunks)),
        headers=fields,
        status=int(status.split(" ", 1)[0]),
        preload_content=False,
        decode_content=False,
        request_method=request.method,
        request_url=request.url,
        enforce_content_length=False,
    )


class _Handler(MotoRequestHandler):
    """A request that is in memory, of which moto's own handler makes WSGI's environ."""

    def __init__(self, server, request):
        # BaseHTTPRequestHandler's constructor would read a socket.
        url = urlsplit(request.url)
        self.server, self.client_address, self.connection = server, ("127.0.0.1", 0), None
        self.command, self.request_version = request.method, "HTTP/1.1"
        self.path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self.headers = HTTPMessage()
        for name, value in {"Host": url.netloc, "Accept-Encoding": "identity"}.items():
            if name not in request.headers:
                self.headers[name] = value
        for name, value in request.headers.items():
            self.headers[name] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        self.rfile = _readable(request.body)


def _readable(body):
    """Return a request's body as a file, from where it would be sent."""
    if body is None:
        return io.BytesIO()
    if isinstance(body, str):
        return io.BytesIO(body.encode("utf-8"))
    return body if hasattr(body, "read") else io.BytesIO(body)
