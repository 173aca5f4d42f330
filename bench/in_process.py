"""The Lambda handler, fed with API Gateway events: no TLS, no HTTP, no gateway.

A child process of ``python -m bench``, with the settings and the data directory of an installation
in its environment. It reads a JSON object a line (``operation``, and ``bodies``: base64 CSRs, or
null for a GET) and answers each with the figures of `bench.load.Report` on a line. CPU is this
process's own; every enrollment leaves a durable record.
"""

import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from bench.load import Report, report

DOMAIN = "est.example.com"

_aws_calls: Counter[str] = Counter()

Handler = Callable[[dict[str, Any], None], dict[str, Any]]


def event(path: str, client_pem: str, body: str | None) -> dict[str, Any]:
    """A REST API event, as API Gateway sends it behind a custom domain with mutual TLS."""
    headers = {"Host": DOMAIN, "Content-Type": "application/pkcs10", "User-Agent": "bench"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET" if body is None else "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "apiId": "bench",
            "domainName": DOMAIN,
            "requestId": "00000000-0000-0000-0000-000000000000",
            "identity": {"sourceIp": "192.0.2.1", "clientCert": {"clientCertPem": client_pem}},
        },
        "body": body and base64.b64encode(body.encode()).decode(),
        "isBase64Encoded": body is not None,
    }


def measure(handler: Handler, events: list[dict[str, Any]]) -> Report:
    """Have ``handler`` answer ``events``, one after the other."""
    latencies = []
    errors: Counter[str] = Counter()
    calls_before = _aws_calls.total()
    cpu_before, started = time.process_time(), time.perf_counter()
    for one in events:
        began = time.perf_counter()
        answer = handler(one, None)
        if int(answer["statusCode"]) == 200:
            latencies.append(time.perf_counter() - began)
        else:
            errors[f"status {answer['statusCode']}: {_text(answer)}"] += 1
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    answered = report(latencies, errors, seconds=seconds, server_cpu=[cpu])
    return replace(answered, aws_calls=_aws_calls.total() - calls_before)


def _text(answer: dict[str, Any]) -> str:
    body = answer["body"]
    text = base64.b64decode(body).decode() if answer["isBase64Encoded"] else body
    return str(text).partition(" (request")[0].strip()


def _count_aws_calls() -> None:
    """See every call that any boto3 client makes from now on, where there is an AWS to call."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        return  # and don't import what the product wouldn't
    from botocore.client import BaseClient

    make_call = BaseClient._make_api_call

    def counted(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        _aws_calls[operation] += 1
        return make_call(self, operation, parameters)

    BaseClient._make_api_call = counted


def own_output() -> TextIO:
    """Return standard output for this program's answers.

    The product logs to standard output. It shall do that work, but the answers stay apart.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return answers


def load_handler() -> tuple[Handler, str]:
    """Return the handler for the installation of this environment, and its client's PEM."""
    from django.conf import settings

    settings.EST_DOMAIN_NAMES = frozenset({DOMAIN})
    settings.ALLOWED_HOSTS = [DOMAIN]
    from estserver.functions.est import handler

    return handler, (Path(settings.EST_DATA_DIR) / "test-client.pem").read_text()


def main() -> None:
    """Answer each line of standard input, until it ends."""
    answers = own_output()
    handler, client = load_handler()
    _count_aws_calls()
    for line in sys.stdin:
        wanted = json.loads(line)
        path = f"/.well-known/est/{wanted['operation']}"
        events = [event(path, client, body) for body in wanted["bodies"]]
        print(json.dumps(asdict(measure(handler, events))), file=answers, flush=True)


if __name__ == "__main__":
    main()
