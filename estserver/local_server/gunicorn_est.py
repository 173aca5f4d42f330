"""Gunicorn's settings for the device side, with mutual TLS.

``manage.py runest`` starts this command, and a container can start it directly::

    DJANGO_SETTINGS_MODULE=estserver.settings.est \\
        gunicorn -c python:estserver.serving.gunicorn_est estserver.wsgi_est:application
"""

import functools
import ssl
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from estserver.local_server.draining import ANSWER_SECONDS
from estserver.local_server.processes import engine_in, process_count
from estserver.local_server.server_certificate import ServerCertificateFiles
from estserver.local_server.tls import ContextCache

_files = ServerCertificateFiles.within(settings.EST_DATA_DIR)
_truststore = getattr(
    settings, "EST_TRUSTSTORE", "estserver.local_server.truststore.DatabaseTruststore"
)

bind = "127.0.0.1:8443"
worker_class = "estserver.local_server.worker.DeviceWorker"
# At most so many requests wait for a signer or the database. On SQLite one computes at a time.
threads = 8
keepalive = 5  # seconds, for a device that asks for /csrattrs and then enrolls
workers = process_count(engine_in(getattr(settings, "DATABASES", {})))
timeout = 60
# After SIGTERM: so long further clients are answered, and then so long those that are here. An
# orchestrator has to wait for both, and a second more, before it kills the process.
graceful_timeout = ANSWER_SECONDS + getattr(settings, "EST_DRAIN_SECONDS", 0)
backlog = 512

# Gunicorn needs these to know that it speaks TLS. ssl_context() below has what it uses.
certfile = str(_files.certificate)
keyfile = str(_files.key)

# An EST request has a short path and few headers, of which a password is the longest.
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 4096

accesslog = None  # the application logs each request, with the client and the outcome
loglevel = "warning"
control_socket_disable = True
# No proxy stands in front of this server, so no header may name another source address.
forwarded_allow_ips = ""


@functools.cache
def _contexts() -> ContextCache:
    """Return the cache of this worker process, made at its first connection (after the fork)."""
    return ContextCache(_files.certificate, _files.key, import_string(_truststore)())


def ssl_context(config: Any, default_factory: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context for a connection: gunicorn's hook, whose default builds one each time."""
    return _contexts().context()
