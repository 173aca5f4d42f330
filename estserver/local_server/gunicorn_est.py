"""gunicorn's settings for the device side: mutual TLS, and as little between it and Django.

    DJANGO_SETTINGS_MODULE=estserver.settings.est \\
        gunicorn -c python:estserver.serving.gunicorn_est estserver.wsgi_est:application

is what ``manage.py runest`` starts; in a container it can be started like this, without runest.
"""

import functools
import ssl
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from estserver.local_server.server_certificate import ServerCertificateFiles
from estserver.local_server.tls import ContextCache

_files = ServerCertificateFiles.within(settings.EST_DATA_DIR)
_truststore = getattr(
    settings, "EST_TRUSTSTORE", "estserver.local_server.truststore.DatabaseTruststore"
)

bind = "127.0.0.1:8443"
worker_class = "estserver.local_server.worker.DeviceWorker"
threads = 8  # those that wait cost only memory, and slow clients hold them
keepalive = 5  # seconds; for a device that asks for /csrattrs and then enrolls
timeout = 60
graceful_timeout = 15
backlog = 512

# gunicorn asks for these to know that it is to speak TLS; what is used comes from ssl_context().
certfile = str(_files.certificate)
keyfile = str(_files.key)

# An EST request is a short path and a handful of headers (a password, at the longest).
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 4096

accesslog = None  # the application logs each operation, with who asked and what came of it
loglevel = "warning"
control_socket_disable = True
# No proxy stands in front of this door, so nobody may say that it was called by somebody else.
forwarded_allow_ips = ""


@functools.cache
def _contexts() -> ContextCache:
    """One cache for each worker: made after the fork, when the first connection comes."""
    return ContextCache(_files.certificate, _files.key, import_string(_truststore)())


def ssl_context(config: Any, default_factory: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """gunicorn's hook, called for each connection; its own default builds a context each time."""
    return _contexts().context()
