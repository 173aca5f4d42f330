"""Ask a health page of this machine, for a container's health check: the image has no other client.

    python -m estserver.operations.probe https://127.0.0.1:8443/readyz

The exit code is 0 if the page answers 200, else 1.
"""

import ssl
import sys
from urllib.error import URLError
from urllib.request import urlopen

SECONDS = 5


def is_well(url: str) -> bool:
    """Return whether the page answers 200.

    The server's certificate is not verified, because an operator may have brought it, with a CA
    and names of its own. Nothing is sent that is secret.
    """
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        with urlopen(url, timeout=SECONDS, context=unverified) as answer:  # noqa: S310  # given by a person
            return bool(answer.status == 200)
    except (URLError, OSError):  # any other status is an HTTPError, which is a URLError
        return False


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
