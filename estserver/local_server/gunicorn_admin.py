"""Gunicorn's settings for the admin: plain HTTP for a browser on the same machine.

The worker is gunicorn's own gthread. Browsers keep many idle connections open, and gthread needs
no thread for them.
"""

import warnings

from gunicorn.http import wsgi  # type: ignore[import-untyped]

# The Server header names no product to look up exploits for. Gunicorn has no setting for it.
wsgi.SERVER = "est"

# Without collectstatic, as on a laptop, WhiteNoise serves the files from where they are.
warnings.filterwarnings("ignore", message="No directory at: ", category=UserWarning)

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 1
threads = 8
keepalive = 5
graceful_timeout = 15
accesslog = None
loglevel = "warning"
control_socket_disable = True
forwarded_allow_ips = ""
