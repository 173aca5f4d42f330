"""Read a line of API Gateway's access log, and say who answered and why.

The fields are those that a deployment sets (``estserver.deploy.resources.logs``).
``docs/deploying.md`` has the same causes as a table.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

import datetime
import json
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from django.utils import timezone

from estserver.deploy.resources.logs import ACCESS_LOG_FIELDS, CERTIFICATE_FIELD
from estserver.tools.inspected import Finding, Group, Inspected
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate

EMPTY = "-"
"""What API Gateway writes for a variable without a value."""

_KNOWN = frozenset({*ACCESS_LOG_FIELDS, *CERTIFICATE_FIELD})
_LEAST = frozenset({"requestId", "status"})
_MOST_EVENTS = 20


def fields_of(text: str) -> dict[str, str] | None:
    """Return the fields of a line of the access log; ``None`` if the text is none.

    What ``aws logs tail`` writes before the line is passed over.
    """
    start = text.find("{")
    if start < 0:
        return None
    try:
        said = json.loads(text[start:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not said.keys() >= _LEAST:
        return None
    return {str(name): str(value) for name, value in said.items() if name in _KNOWN}


def inspect_line(fields: Mapping[str, str]) -> Inspected:
    """Return what a line says. ``clientCertificate`` is left to the caller."""
    shown = tuple(
        (name, fields[name])
        for name in ACCESS_LOG_FIELDS
        if fields.get(name, EMPTY) not in ("", EMPTY)
    )
    inspected = Inspected("a line of API Gateway's access log", [Group("Line", shown)])
    inspected.findings.extend(_answers(fields))
    _add_record(inspected, fields)
    return inspected


def _answers(fields: Mapping[str, str]) -> Iterator[Finding]:
    """Yield who answered, and the cause of a refusal as far as the line shows it."""
    status = fields["status"]
    integration = fields.get("integrationStatus", EMPTY)
    if status.startswith("2"):
        yield Finding("OK", f"The client got {status} from the function.")
        return
    if fields.get("wafStatus") == "403":
        yield Finding("FAIL", "The WAF refused the request.", "Its sampled requests name the rule.")
        return
    if ".execute-api." in fields.get("domain", ""):
        yield Finding(
            "WARN",
            "The request came to the API's default endpoint, which is closed as it should be.",
            "Call the domain with mutual TLS.",
        )
        return
    if integration not in ("", EMPTY):
        yield Finding(
            "FAIL",
            f"The function answered {integration}. The first word of its answer is a reason code.",
            "Look the code up in docs/reason-codes.md, or search for the request id.",
        )
        return
    cause = fields.get("error", EMPTY)
    yield Finding(
        "FAIL",
        f"API Gateway answered {status} by itself, and the function was not asked"
        + (f": {cause.rstrip('.')}." if cause not in ("", EMPTY) else "."),
        "Check that aws_truststore lists the CA in clientIssuer, with the CAs above it.",
    )
    ended = _time(fields.get("clientNotAfter", ""))
    if ended is not None and ended < timezone.now():
        yield Finding(
            "FAIL",
            f"The client certificate expired on {ended:%Y-%m-%d}.",
            "Enroll the device again with its bootstrap certificate.",
        )


def _time(text: str) -> datetime.datetime | None:
    """Return a time as API Gateway writes those of a certificate ("May 28 12:30:02 2019 GMT").

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """
    try:
        parsed = datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y GMT")  # noqa: DTZ007
        return parsed.replace(tzinfo=datetime.UTC)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).astimezone(datetime.UTC)
    except ValueError:
        return None


def _add_record(inspected: Inspected, fields: Mapping[str, str]) -> None:
    """Add the certificate that the client showed, and what the trail has of the request."""
    serial = fields.get("clientSerial", EMPTY)
    if serial not in ("", EMPTY):
        row = _certificate(serial)
        if row is None:
            inspected.findings.append(Finding("OK", "The client certificate is not on record."))
        else:
            inspected.rows.append(row)
            inspected.findings.append(
                Finding(
                    "OK",
                    f"The client certificate was issued here to {row.common_name} and is "
                    f"{row.get_state_display().lower()}.",
                )
            )
    events = AuditEvent.objects.filter(request_id=fields["requestId"][:36])
    inspected.rows.extend(events[:_MOST_EVENTS])


def _certificate(serial: str) -> IssuedCertificate | None:
    """Return the certificate with a serial number, which API Gateway writes in either base."""
    for text in (f"dec:{serial}", serial):
        try:
            return find_certificate(text)
        except OperatorError:
            continue
    return None
