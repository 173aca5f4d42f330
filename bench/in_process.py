"""Enrollments through the Lambda handler, in this process: no TLS, no HTTP, no gateway.

    EST_DATA_DIR=... DJANGO_SETTINGS_MODULE=estserver.settings.est \
        python -m bench.in_process --requests 1000 --operation simpleenroll

Each request is a REST API event with a client certificate and a CSR of its own, and leaves a
durable record. Prints one JSON object; CPU is this process's own, in milliseconds per request.
"""

import argparse
import base64
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.load import make_csr

DOMAIN = "est.example.com"


def event(path: str, client_pem: str | None, body: bytes | None) -> dict[str, Any]:
    """A REST API event, as API Gateway sends it behind a custom domain with mutual TLS."""
    identity: dict[str, Any] = {"sourceIp": "192.0.2.1"}
    if client_pem:
        identity["clientCert"] = {"clientCertPem": client_pem}
    headers = {"Host": DOMAIN, "Content-Type": "application/pkcs10", "User-Agent": "bench"}
    method = "GET" if body is None else "POST"
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "apiId": "bench",
            "domainName": DOMAIN,
            "requestId": "00000000-0000-0000-0000-000000000000",
            "identity": identity,
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": body is not None,
    }


def measure(
    handler: Callable[[dict[str, Any], None], dict[str, Any]], events: list[dict[str, Any]]
) -> dict[str, float]:
    """CPU per request and latency percentiles, in milliseconds."""
    latencies = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    for one in events:
        started = time.perf_counter()
        answer = handler(one, None)
        latencies.append((time.perf_counter() - started) * 1000)
        if int(answer["statusCode"]) != 200:
            raise SystemExit(f"refused: {base64.b64decode(answer['body'])!r}")
    after = resource.getrusage(resource.RUSAGE_SELF)
    user_ms = (after.ru_utime - before.ru_utime) * 1000 / len(events)
    system_ms = (after.ru_stime - before.ru_stime) * 1000 / len(events)
    percentiles = statistics.quantiles(latencies, n=100)
    return {
        "cpu_ms": user_ms + system_ms,
        "system_ms": system_ms,
        "p50_ms": percentiles[49],
        "p95_ms": percentiles[94],
        "p99_ms": percentiles[98],
    }


def main() -> None:
    """Measure one operation and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--operation", choices=["cacerts", "simpleenroll"], default="simpleenroll")
    parser.add_argument("--key", choices=["p256", "rsa2048"], default="p256")
    parser.add_argument("--run", default="a", help="part of the thing names, unique for each run")
    arguments = parser.parse_args()

    from django.conf import settings

    settings.EST_DOMAIN_NAMES = frozenset({DOMAIN})
    settings.ALLOWED_HOSTS = [DOMAIN]
    from estserver.lambda_est import handler

    path = f"/.well-known/est/{arguments.operation}"
    if arguments.operation == "cacerts":
        events = [event(path, None, None)] * arguments.requests
    else:
        client = (Path(settings.EST_DATA_DIR) / "test-client.pem").read_text()
        events = [
            event(path, client, make_csr(f"{arguments.run}-{number}", arguments.key))
            for number in range(arguments.requests)
        ]
    warm_up = max(1, arguments.requests // 20)
    measure(handler, events[: warm_up + 1])
    print(json.dumps(measure(handler, events[warm_up + 1 :])))


if __name__ == "__main__":
    main()
