"""Push the truststore, or go back to an earlier version, as a job.

API Gateway may take minutes until a domain trusts another version, and a page cannot wait for it.
"""

from django.conf import settings

from estserver.deploy.deployment import current_deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.truststore.comparison import trusted_now
from estserver.deploy.truststore.pushes import (
    activate,
    check_is_as_pushed,
    check_removals,
    push,
    wanted_bundle,
)
from estserver.deploy.truststore.record import pushes_here
from estserver.deploy.truststore.versions import read_version
from pki.jobs.kinds import JobKind, Keep, Parameters
from pki.jobs.lifecycle import start_job
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

_PUSH = "the CAs on record"
"""The subject of the line that pushes. A version's line has its id."""


def start_push(
    *, reason: str, actor: Actor, version: str = "", is_removal_meant: bool = False
) -> Job:
    """Start the job that pushes the CAs on record and lets the domain trust them.

    With ``version`` it lets the domain trust that earlier version. ``is_removal_meant`` is the word
    that clients whose CA goes are to be turned away. Raises ``OperatorError`` without a reason, and
    where no domain has a truststore.
    """
    return start_job(
        "truststore",
        [f"version {version}" if version else _PUSH],
        parameters={
            "reason": reason,
            "version": version,
            "is_removal_meant": is_removal_meant,
        },
        actor=actor,
    )


def check_has_truststore() -> None:
    """Raise ``OperatorError`` where no domain has a truststore. AWS is not asked."""
    if not settings.CONFIG.properties.api_custom_domain_name:
        raise OperatorError("No domain has a truststore. Set Properties.apiCustomDomainName.")


def check_push(parameters: Parameters) -> None:
    """Raise ``OperatorError`` without a reason, and where no domain has a truststore."""
    check_has_truststore()
    if not parameters["reason"].strip():
        raise OperatorError(
            "A change of the truststore needs a reason (--reason). It is kept on the audit trail."
        )


def _put_in_force(job: Job, line: JobLine, actor: Actor, keep: Keep) -> str:
    """Push or go back, wait until the domain trusts it, and return API Gateway's warnings."""
    # Step 1: what the domain trusts now, and what it is to trust.
    reason, version = job.parameters["reason"], job.parameters["version"]
    deployment = current_deployment()
    performer = Performer(lambda said: keep())
    old = trusted_now(deployment).bundle
    new = read_version(deployment, version) if version else wanted_bundle()
    # Step 2: the checks of the command.
    if version:
        check_is_as_pushed(deployment, version, pushes_here(deployment))
    if not job.parameters["is_removal_meant"]:
        check_removals(old, new)
    keep()
    # Step 3: the change. A run that is cut off here is completed by the next one.
    if not version:
        pushed = push(deployment, new, actor=actor, reason=reason, performer=performer)
        version = pushed.version_id
    notes = activate(deployment, version, actor=actor, reason=reason, performer=performer)
    return " ".join([f"The domain trusts version {version}.", *notes])


TRUSTSTORE = JobKind(name="truststore", check=check_push, work_at_length=_put_in_force, chunk=1)
