"""What one person asks for and another one confirms or refuses: the rules and the record.

A request holds the form as it was sent. It is claimed by one conditional update before anything is
done, so it takes effect at most once, whatever happens in between.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils import timezone

from estserver.models import OfficerRequest
from pki.encoding.pem import has_private_key
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

LASTS: Final = datetime.timedelta(days=1)
"""How long a request can be confirmed."""
_LONGEST_NAME: Final = 80  # characters of a name in an actor that has two

State = OfficerRequest.State
Parameters = Mapping[str, Sequence[str]]


def ask(
    *, operation: str, row: str, subject: str, parameters: Parameters, person: Any, actor: Actor
) -> OfficerRequest:
    """Put an operation on record as a request of ``person``.

    Raises ``OperatorError`` if the same is asked for already, or the form holds a private key,
    which must not wait in the database.
    """
    if any(has_private_key(value.encode()) for values in parameters.values() for value in values):
        raise OperatorError(
            "A private key cannot wait for a second person. Have the request confirmed without it, "
            "or use the command on the server."
        )
    now = timezone.now()
    request = OfficerRequest(
        operation=operation,
        row=row,
        subject=subject,
        parameters={name: list(values) for name, values in parameters.items()},
        asked_by=person.pk,
        asked_by_name=person.get_username(),
        asked_at=now,
        ends_at=now + LASTS,
    )

    def write() -> None:
        same = open_requests().filter(operation=operation, row=row).first()
        if same is not None:
            raise OperatorError(
                f"{same.asked_by_name} has asked for it already. Another person confirms or "
                "refuses that request first."
            )
        request.save(force_insert=True)
        _record("two-persons-ask", request, actor, after={"form": request.parameters})

    in_write_transaction(write)
    return request


def open_requests() -> Any:
    """Return the requests that can be confirmed."""
    return OfficerRequest.objects.filter(state=State.OPEN, ends_at__gt=timezone.now())


def obstacle(request: OfficerRequest, person: Any) -> str:
    """Return why ``person`` cannot decide ``request``; "" if they can, as far as roles let them."""
    if request.state != State.OPEN:
        return f"The request was decided: {request.get_state_display().lower()}."
    if request.ends_at <= timezone.now():
        return "The request was not confirmed within a day. It has to be made again."
    if request.asked_by == person.pk:
        return "You have asked for it, so another person confirms it."
    if not User.objects.filter(pk=request.asked_by, is_active=True).exists():
        return f"The account of {request.asked_by_name} is not active any more. Refuse the request."
    return ""


def refuse(request: OfficerRequest, *, name: str, actor: Actor, reason: str) -> None:
    """Refuse a request, for the person called ``name``, who may be the one who asked.

    Raises ``OperatorError`` without a reason, or if the request is over.
    """
    if not reason:
        raise OperatorError("Give a reason, which the audit trail keeps.")
    _decide(request, State.REFUSED, "two-persons-refuse", name=name, actor=actor, reason=reason)


def confirm(
    request: OfficerRequest, *, person: Any, actor: Actor, carry_out: Callable[[Actor], str]
) -> str:
    """Confirm a request and have ``carry_out`` do it, once. Return its sentence.

    ``carry_out`` gets an actor with both names. Raises ``OperatorError`` if ``person`` cannot
    confirm it, or the service refuses; then the request is over too.
    """
    if found := obstacle(request, person):
        raise OperatorError(found)
    # Step 1: claim it. Of two people at the same moment, one finds it decided.
    name = person.get_username()
    _decide(request, State.CONFIRMED, "two-persons-confirm", name=name, actor=actor)
    # Step 2: do it, in the service's own transactions.
    both = f"admin:{_short(request.decided_by_name)} for admin:{_short(request.asked_by_name)}"
    try:
        result = carry_out(Actor(both, request_id=str(request.pk), source_ip=actor.source_ip))
    except (OperatorError, PKIError) as error:
        # Step 3: say how it ended. What the process does not live to say stays "confirmed".
        _end(request, State.FAILED, str(error))
        raise
    except Exception as error:  # a bug, whose words are for the log, where the page's failure is
        _end(request, State.FAILED, f"{type(error).__name__}. See the log.")
        raise
    _end(request, State.DONE, result)
    return result


def _decide(
    request: OfficerRequest,
    state: OfficerRequest.State,
    action: str,
    *,
    name: str,
    actor: Actor,
    reason: str = "",
) -> None:
    now = timezone.now()

    def write() -> None:
        changed = (
            open_requests()
            .filter(pk=request.pk)
            .update(state=state, decided_by_name=name, decided_at=now, result=reason)
        )
        if not changed:
            raise OperatorError("The request was decided meanwhile, or its day is over.")
        before = {"asked_by": request.asked_by_name, "form": request.parameters}
        _record(action, request, actor, reason=reason, before=before)

    in_write_transaction(write)
    request.refresh_from_db()


def _end(request: OfficerRequest, state: OfficerRequest.State, result: str) -> None:
    def write() -> None:
        OfficerRequest.objects.filter(pk=request.pk).update(state=state, result=result[:2000])

    in_write_transaction(write)
    request.refresh_from_db()


def _record(action: str, request: OfficerRequest, actor: Actor, **facts: Any) -> None:
    # The id leads from the request to its decision and to what was done.
    by = Actor(actor.name, request_id=str(request.pk), source_ip=actor.source_ip)
    facts.setdefault("reason", " ".join(request.parameters.get("reason", ())))
    audit_trail.record(
        action, actor=by, target=f"{request.operation}:{request.subject}"[:200], **facts
    )


def _short(name: str) -> str:
    return name[:_LONGEST_NAME]
