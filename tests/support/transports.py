"""The ways in which a request arrives: the Lambda handler, Zappa's WSGI path, a TLS socket."""

import base64
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote_to_bytes, urlsplit

from apig_wsgi import make_lambda_handler
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from django.conf import UserSettingsHolder, settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections
from django.urls import set_urlconf

from estserver.est.chunked import accept_chunked_bodies
from estserver.est.media_type import drop_media_type_parameters
from estserver.settings import est

_EST_SIDE = {
    "ROOT_URLCONF": est.ROOT_URLCONF,
    "MIDDLEWARE": est.MIDDLEWARE,
    "APPEND_SLASH": est.APPEND_SLASH,
    "DATA_UPLOAD_MAX_MEMORY_SIZE": est.DATA_UPLOAD_MAX_MEMORY_SIZE,
    "DATA_UPLOAD_MAX_NUMBER_FIELDS": est.DATA_UPLOAD_MAX_NUMBER_FIELDS,
}


class _DeviceSide:
    """The settings of the EST side, without its closing of connections after a request.

    The test's own transaction stays open that way. Settings belong to the whole process. Of several
    threads, the first one applies them, and the last one takes them back.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._before = None

    @contextmanager
    def entered(self):
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                signals.request_started.disconnect(close_old_connections)
                signals.request_finished.disconnect(close_old_connections)
                self._before = settings._wrapped
                settings._wrapped = UserSettingsHolder(self._before)
                for name, value in _EST_SIDE.items():
                    setattr(settings, name, value)
        try:
            yield accept_chunked_bodies(drop_media_type_parameters(WSGIHandler()))
        finally:
            set_urlconf(None)  # the handler has left it in this thread
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    settings._wrapped = self._before
                    signals.request_started.connect(close_old_connections)
                    signals.request_finished.connect(close_old_connections)


_device_side = _DeviceSide()


@dataclass(frozen=True)
class ESTResponse:
    """A response, decoded from the gateway's base64."""

    status_code: int
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, name):
        return self.headers[name.lower()]

    @property
    def text(self):
        return self.body.decode()

    @property
    def reason(self):
        """Return the reason code of a refusal."""
        return self.text.partition(":")[0]

    @property
    def certificates(self):
        """Return the certificates of a certs-only reply."""
        return pkcs7.load_der_pkcs7_certificates(base64.b64decode(self.body))

    @property
    def certificate(self):
        """Return the one certificate of an enrollment."""
        assert self.status_code == 200, self.text
        (certificate,) = self.certificates
        return certificate


def through_lambda(event):
    """Send a Lambda event through the handler that a deployment runs; return its response."""
    with _device_side.entered() as application:
        answer = make_lambda_handler(application, binary_support=True)(event, None)
    return response_of(answer)


def response_of(answer):
    """Return the response that API Gateway makes of a Lambda handler's answer."""
    json.dumps(answer)  # Lambda sends it as JSON
    body = answer.get("body") or ""
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): values[-1] for name, values in _header_lists(answer).items()}
    return ESTResponse(int(answer["statusCode"]), headers, raw)


def _header_lists(answer):
    if "multiValueHeaders" in answer:
        return answer["multiValueHeaders"]
    return {name: [value] for name, value in (answer.get("headers") or {}).items()}


def through_zappa(event, **options):
    """Send a Lambda event as Zappa's own handler does (``_create_lambda_wsgi_environ``)."""
    from zappa.wsgi import create_wsgi_request  # slow to import, and few tests need it

    environ = create_wsgi_request(event, binary_support=True, **options)
    environ |= {"HTTPS": "on", "wsgi.url_scheme": "https", "lambda.event": event}
    return through_wsgi(environ)


class FakeTLSSocket:
    """The part of an SSLSocket that the code reads from what gunicorn puts beside a request."""

    def __init__(self, certificate):
        self._der = certificate and certificate.public_bytes(Encoding.DER)

    def getpeercert(self, binary_form=False):  # ssl.SSLSocket's own signature
        assert binary_form
        return self._der


def through_socket(method, url, *, certificate=None, headers=None, body=b"", length=None):
    """Send a request as gunicorn does. ``body`` may be a stream, and ``length`` may be wrong."""
    parts = urlsplit(url)
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "198.51.100.7",
        "HTTP_HOST": "localhost:8443",
        "CONTENT_LENGTH": str(len(body) if length is None else length),
        "wsgi.input": BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
        "gunicorn.socket": FakeTLSSocket(certificate),
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return through_wsgi(environ)


def through_wsgi(environ):
    """Call the WSGI application of the EST side; return its response."""
    head = []
    with _device_side.entered() as application:
        result = application(environ, lambda status, headers: head.extend((status, headers)))
        body = b"".join(result)
        result.close()
    status, headers = head
    return ESTResponse(int(status.split()[0]), {k.lower(): v for k, v in headers}, body)
