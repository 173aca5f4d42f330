"""A table of everything that is deployed: what is as it should be, what is not, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from estserver.deploy.account.database_secret import database_secret_problem
from estserver.deploy.deployment import ACM_ARN_REGION, Deployment
from estserver.deploy.engine.calls import ask
from estserver.deploy.engine.steps import AnyStep, Blocked
from estserver.deploy.front_door.truststore_object import latest_version
from estserver.deploy.truststore.pushes import active_version
from estserver.deploy.truststore.record import last_activated, pushes_on_record
from estserver.deploy.truststore.versions import read_version
from estserver.deploy.zappa.admin_function import run_in_function
from estserver.deploy.zappa.stage import look_at_stage
from estserver.models import TruststorePush
from estserver.operations.report_rows import EXPIRY_DAYS, Level, Row
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError, RemoteFailure


def status(deployment: Deployment, steps: Sequence[AnyStep], *, is_here: bool = False) -> list[Row]:
    """Return a row for each step, each certificate and the truststore, without any change.

    ``is_here`` says that the database at hand has the truststore's record (`truststore.record`).
    What cannot be read is a row too, so that one missing right hides nothing else.
    """
    rows = [row for step in steps for row in _rows_of(step)]
    rows += _certificates(deployment)
    rows += _database(deployment, is_here=is_here)
    rows += truststore_rows(deployment, is_here=is_here)
    return rows


def _rows_of(step: AnyStep) -> Iterator[Row]:
    try:
        plan = step.plan(step.look())
    except Blocked as error:
        yield Row(step.name, "FAIL", str(error))
        return
    except RemoteFailure as error:
        advice = step.advice.get(error.code, "")
        yield Row(step.name, "FAIL", str(error), advice)
        return
    except (OperatorError, PKIError) as error:
        yield Row(step.name, step.severity, str(error))
        return
    if plan.waiting:
        yield Row(step.name, "WARN", plan.waiting, "Look again in some minutes.")
    elif plan.calls:
        differences = "; ".join(call.reason for call in plan.calls)
        yield Row(step.name, step.severity, differences, "Run aws_deploy, which mends it.")
    elif not plan.notes:
        yield Row(step.name, "OK", "as it should be")
    for note in plan.notes:
        yield Row(step.name, "WARN", note)


def _certificates(deployment: Deployment) -> Iterator[Row]:
    """A row for each certificate in ACM: whether it is issued, and for how long."""
    for key, arn in deployment.certificates.items():
        if not arn:
            yield Row(key, "FAIL", "not set", f"Set Properties.{key}.")
            continue
        if arn.split(":")[ACM_ARN_REGION] != deployment.region:
            yield Row(key, "FAIL", "a certificate of another region", f"Set Properties.{key}.")
            continue
        try:
            held = ask("acm", "DescribeCertificate", CertificateArn=arn)["Certificate"]
        except RemoteFailure as error:
            yield Row(key, "FAIL", str(error))
        else:
            yield _certificate(key, held)


def _certificate(key: str, held: Mapping[str, Any]) -> Row:
    if held["Status"] != "ISSUED":
        return Row(key, "FAIL", f"it is {held['Status']}", "Look at it in ACM.")
    days = (held["NotAfter"] - timezone.now()).days
    if days < EXPIRY_DAYS:
        level: Level = "WARN" if days >= 0 else "FAIL"
        return Row(key, level, f"it expires in {days} days", "Renew it in ACM, under the same ARN.")
    return Row(key, "OK", f"issued, for {days} days more")


def _database(deployment: Deployment, *, is_here: bool) -> Iterator[Row]:
    """Rows about the database's secret, and whether the database answers the admin's function."""
    if problem := database_secret_problem(deployment):
        yield Row("databaseSecretName", "FAIL", problem)
    if is_here or not look_at_stage(deployment, "admin").is_deployed:
        return
    try:
        run_in_function(deployment.live_function("admin"), "migrate", "--check")
    except OperatorError as error:
        advice = "Read the log of the admin's function; run aws_deploy if its schema is older."
        yield Row("database", "FAIL", str(error).strip(), advice)
    else:
        yield Row("database", "OK", "it answers, and has the schema of the code in service")


def truststore_rows(deployment: Deployment, *, is_here: bool) -> Iterator[Row]:
    """Rows about whether the domain trusts what is on record as pushed (threat T27)."""
    name = "truststore"
    if not any(domain.is_mutual_tls for domain in deployment.domains):
        return
    try:
        pushes = pushes_on_record(deployment, is_here=is_here)
    except (DatabaseError, InterfaceError, OperatorError) as error:
        text = f"its record cannot be read: {str(error).strip()}"
        where = "the database here" if is_here else "the admin's function, and its log"
        advice = f"Look at {where}. Until then it is not known who chose these CAs."
        yield Row(name, "FAIL", text, advice)
        return
    try:
        yield _pinned(deployment, name, pushes)
        yield from _swapped(deployment, name, pushes)
    except OperatorError as error:
        yield Row(name, "FAIL", str(error))


def _pinned(deployment: Deployment, name: str, pushes: Sequence[TruststorePush]) -> Row:
    active = active_version(deployment)
    if not active:
        return Row(name, "FAIL", "no domain trusts one yet", "Run aws_deploy --finish est.")
    recorded = last_activated(pushes)
    if recorded is None:
        text = f"the domain trusts version {active}, and nothing is on record as activated"
        return Row(name, "FAIL", text, "Run aws_deploy --finish est, which records the first one.")
    if recorded.version_id != active:
        wanted = recorded.version_id
        return Row(
            name,
            "FAIL",
            f"the domain trusts version {active}, and version {wanted} is on record as activated",
            "If an aws_truststore was cut off, run it again. Otherwise find out who changed it, "
            f"and run aws_truststore --to {wanted}.",
        )
    held = read_version(deployment, active)
    if held.sha256 != recorded.sha256:
        text = f"version {active} is not what was pushed (SHA-256 {held.sha256})"
        return Row(name, "FAIL", text, "Find out who changed it, and run aws_truststore --push.")
    soon = [
        each.subject.rfc4514_string()
        for each in held.certificates
        if (each.not_valid_after_utc - timezone.now()).days < EXPIRY_DAYS
    ]
    if soon:
        text = f"CAs in it expire within {EXPIRY_DAYS} days: {', '.join(soon)}"
        return Row(name, "WARN", text, "Push a truststore with their successors.")
    return Row(name, "OK", f"version {active}, {len(held.certificates)} CAs, as pushed")


def _swapped(deployment: Deployment, name: str, pushes: Sequence[TruststorePush]) -> Iterator[Row]:
    latest = latest_version(deployment)
    if latest and latest not in {each.version_id for each in pushes}:
        yield Row(
            name,
            "FAIL",
            f"the newest version of the object, {latest}, was not pushed by this tool",
            "Find out who put it there, and run aws_truststore --push.",
        )
