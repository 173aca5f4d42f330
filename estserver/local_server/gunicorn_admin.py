"""gunicorn's settings for the people side: plain HTTP for a browser on the same machine.

gunicorn's own threaded worker, because browsers keep many connections open and idle, which it
parks without a thread.
"""

import warnings

# On a laptop nobody has run collectstatic; WhiteNoise serves the files from where they are.
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
