"""Print, as JSON, the round trips of requests and what each takes with 2 ms each way.

    TEST_DATABASE_URL=... python -m tests.support.round_trips PORT

PORT is the PostgreSQL server's, and the URL's port is replaced by a proxy's. The URL may be a
cluster's (tests/support/dsql). Requests go through API Gateway's events and the Lambda handler.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.counting_proxy import CountingProxy, counting_proxy

ROUNDS = 5
DELAY = 0.002
"""Seconds each way."""


def main() -> None:
    """Measure on the server whose port is the argument."""
    with counting_proxy(int(sys.argv[1])) as proxy, tempfile.TemporaryDirectory() as directory:
        url = os.environ["TEST_DATABASE_URL"]
        os.environ["TEST_DATABASE_URL"] = url.replace(f":{sys.argv[1]}/", f":{proxy.port}/")
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        import django

        django.setup()
        sys.stdout.write(json.dumps(_measure(proxy, Path(directory))) + "\n")


def _measure(proxy: CountingProxy, directory: Path) -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import close_old_connections, connection

    from pki.record.audit_trail import Actor
    from tests.support.builders import make_csr, make_key
    from tests.support.est_client import ESTClient
    from tests.support.installed import install

    call_command("migrate", verbosity=0)
    install(Actor("test"), directory)
    client = ESTClient.from_files(_test_client())
    found: dict[str, list[tuple[int, float]]] = {}
    failures: list[str] = []

    def count(name: str, send: Callable[[], Any], *, wanted: int = 200) -> Any:
        before, started = proxy.round_trips, time.perf_counter()
        close_old_connections()  # as at the start of each request: tests' requests leave it out
        answer = send()
        took = time.perf_counter() - started
        found.setdefault(name, []).append((proxy.round_trips - before, took * 1000))
        if answer.status_code != wanted:
            failures.append(f"{name}: {answer.status_code} {answer.reason}")
        return answer

    def key(number: int) -> Any:
        return make_key("ec-p256", number)

    client.simpleenroll(make_csr("warm", key=key(0)))  # connected, its audit chain open
    proxy.delay = DELAY
    for round_ in range(1, ROUNDS + 1):
        name = f"sensor-{round_}"
        csr = make_csr(name, key=key(3 * round_))
        first = count("enrollment", lambda csr=csr: client.simpleenroll(csr))
        again = count("repeated request", lambda csr=csr: client.simpleenroll(csr))
        if first.certificate != again.certificate:
            failures.append(f"{name}: a repeated request got another certificate")
        device = client.using(first.certificate)
        csr = make_csr(name, key=key(3 * round_ + 1))
        renewal = count("renewal", lambda csr=csr, device=device: device.simplereenroll(csr))
        csr = make_csr(name, key=key(3 * round_ + 2))
        count("enrollment of a known name", lambda csr=csr: client.simpleenroll(csr))
        if renewal.certificate == first.certificate:
            failures.append(f"{name}: a renewal got the old certificate")
    proxy.cut()
    proxy.delay = 0
    csr = make_csr("after-a-cut", key=key(100))
    count("enrollment after the connection broke", lambda: client.simpleenroll(csr))
    connection.close()
    return {
        "failures": failures,
        "round_trips": {name: max(trips for trips, _ in each) for name, each in found.items()},
        "milliseconds": {
            name: round(statistics.median(took for _, took in each), 1)
            for name, each in found.items()
        },
    }


def _test_client() -> Path:
    from pki.conf import pki_settings

    return Path(pki_settings().data_dir) / "test-client.pem"


if __name__ == "__main__":
    main()
