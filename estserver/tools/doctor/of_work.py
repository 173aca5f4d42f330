"""Checks of what waits: the outbox, hooks, jobs, documents and CAs for AWS IoT, accounts."""

from collections.abc import Iterator

from django.contrib.auth import get_user_model

from estserver.config.second_factor import SecondFactorRule
from estserver.models import PendingHook
from estserver.operations.gauges import OUTBOX_SECONDS
from estserver.operations.report_rows import Row
from estserver.people.second_factor import policy
from estserver.people.second_factor.people import accounts_with_factors
from iotprov.conf import iot_settings
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.validation import provisioned_profiles
from iotprov.documents.versions import Kind, body_in_force
from iotprov.models import CARegistration
from iotprov.provisioning.backlog import backlogs
from pki.models import Job
from pki.record.audit_newest import verify_newest
from pki.record.audit_states import is_emptied

HOOK_ATTEMPTS = 3
"""Failures of a post hook after which it is not a passing one."""
NEWEST = 1000
"""Rows of the audit trail that are verified. ``audit_verify`` verifies all of them."""


def outbox_rows() -> Iterator[Row]:
    """Look how long certificates wait for AWS IoT, and which of them need an operator."""
    for backlog in backlogs():
        name = f"outbox of {backlog.target}"
        last = f" The last error: {backlog.error}" if backlog.error else ""
        if backlog.age.total_seconds() > OUTBOX_SECONDS:
            minutes = round(backlog.age.total_seconds() / 60)
            yield Row(
                name,
                "FAIL",
                f"{backlog.pending} certificates wait for AWS IoT, the first for {minutes} "
                f"minutes.{last}",
                "Run manage.py provision_pending, and see that the schedule runs.",
            )
        elif backlog.parked:
            yield Row(
                name,
                "WARN",
                f"{backlog.parked} certificates wait for an operator.{last}",
                "Solve what the error says, and retry them in the web admin.",
            )
        else:
            yield Row(name, "OK", f"{backlog.pending} certificates wait for AWS IoT.")


def iot_rows() -> Iterator[Row]:
    """Look whether AWS IoT has the CAs, the template and the policy, by the pushes on record."""
    profiles = provisioned_profiles()
    if not profiles:
        yield Row("AWS IoT", "OK", "No profile in force provisions in AWS IoT.")
        return
    issuing = {profile.ca_id: profile.ca for profile in profiles}
    registered = {
        (row.ca_id, row.target)
        for row in CARegistration.objects.filter(state=CARegistration.State.REGISTERED)
    }
    for target in iot_settings().targets:
        for pk, ca in issuing.items():
            name = f"{ca.name} at {target.name}"
            if (pk, target.name) in registered:
                yield Row(name, "OK", "It is registered in AWS IoT.")
            else:
                advice = f"Run manage.py register_ca {ca.name}."
                yield Row(name, "FAIL", "It is not registered in AWS IoT.", advice)
    for kind, command in ((Kind.TEMPLATE, "sync_template"), (Kind.POLICY, "sync_policy")):
        for state in target_states(kind, body_in_force(kind)):
            name = f"{Kind(kind).noun} at {state.target}"
            if state.agreement is Agreement.IN_SYNC:
                yield Row(name, "OK", f"It was pushed ({state.holds}).")
            else:
                what = f"{state.agreement.value}: AWS IoT has {state.holds}."
                yield Row(name, "WARN", what, f"Run manage.py {command}.")


def hook_rows() -> Iterator[Row]:
    """Look for post hooks that fail again and again."""
    failing = PendingHook.objects.filter(attempts__gte=HOOK_ATTEMPTS)
    first = failing.order_by("created_at").first()
    if first is None:
        yield Row("hooks", "OK", "No post hook fails again and again.")
        return
    yield Row(
        "hooks",
        "WARN",
        f"A post hook has failed {first.attempts} times: {first.last_error}",
        "Correct the hook, and run manage.py run_pending_hooks.",
    )


def job_rows() -> Iterator[Row]:
    """Look for jobs that an error has stopped."""
    stopped = Job.objects.filter(state=Job.State.FAILED).first()
    if stopped is None:
        yield Row("jobs", "OK", "No job was stopped by an error.")
        return
    yield Row(
        "jobs",
        "WARN",
        f"The job {stopped} was stopped at its line {stopped.position + 1}: {stopped.error}",
        f"Solve that, and continue it: manage.py jobs {stopped.pk} --continue.",
    )


def audit_rows() -> Iterator[Row]:
    """Look whether the audit trail is there, and its newest rows hold."""
    name = "audit trail"
    if is_emptied():
        yield Row(
            name,
            "FAIL",
            "It is empty, and CAs or certificates are on record.",
            "Find out who can write to the database, and restore it from a backup.",
        )
        return
    count, broken = verify_newest(NEWEST)
    if broken is not None:
        row = broken.event
        yield Row(
            name,
            "FAIL",
            f"It does not hold at row {row.pk} ({row.action} {row.target}): {broken.what}.",
            "Run manage.py audit_verify, and compare the trail with the last export.",
        )
        return
    yield Row(name, "OK", f"The newest {count} rows hold. manage.py audit_verify looks at all.")


def account_rows() -> Iterator[Row]:
    """Look whether somebody can sign in to the web admin."""
    users = get_user_model()._default_manager
    if users.filter(is_active=True, is_superuser=True).exists():
        yield Row("accounts", "OK", "Somebody can administrate the web admin.")
    else:
        advice = "Run manage.py createsuperuser, or first_admin in a function."
        yield Row("accounts", "WARN", "Nobody can administrate the web admin.", advice)
    yield _second_factors()


def _second_factors() -> Row:
    """Look who signs in with a password alone. How open a deployed admin is, the settings say."""
    name = "second factors"
    if not policy.is_used():
        return Row(name, "OK", "No second factor is asked of anybody (adminSecondFactor is none).")
    people = list(accounts_with_factors())
    missing = sum(one.since is None for one in people)
    if policy.rule() is SecondFactorRule.REQUIRED or not missing:
        left = f" {missing} set it up at their next sign-in." if missing else ""
        return Row(name, "OK", f"Everybody needs a second factor.{left}")
    return Row(
        name,
        "WARN",
        f"{missing} of {len(people)} people sign in with a password alone.",
        "Let them set up a second factor, or set adminSecondFactor to required.",
    )
