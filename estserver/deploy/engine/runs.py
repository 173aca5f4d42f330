"""Run steps: carry them out, list what they would do, or take away what they made."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import AnyStep, Blocked, Plan
from pki.operators.errors import OperatorError, RemoteFailure

ROUNDS = 5
"""How often a step may find something to do. More rounds mean that AWS does not keep a change."""
REMOVAL_ROUNDS = 1000
"""A bucket is emptied a thousand objects at a time."""
WAIT_SECONDS = 10.0
WAITS = 120
"""20 minutes: a custom domain may take that long to change."""


class StepFailed(OperatorError):
    """A step failed. The message has the cause, what to do, and what is done already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run changed, and the notes of its steps."""

    changed: tuple[str, ...]
    """Names of the steps that changed something."""
    notes: tuple[str, ...]


def carry_out(steps: Sequence[AnyStep], performer: Performer) -> Outcome:
    """Bring AWS to the desired state of the steps, in their order; return what was changed.

    Raises ``StepFailed`` at the first step that fails. Another run goes on from there.
    """
    changed: list[str] = []
    notes: list[str] = []
    done: list[str] = []
    for number, step in enumerate(steps, start=1):
        try:
            rounds, last = _settle(step, performer, number, len(steps))
        except OperatorError as error:
            raise _failure(step, error, number, len(steps), done) from error
        if rounds:
            changed.append(step.name)
        else:
            performer.say(f"[{number}/{len(steps)}] {step.name}: as it should be")
        for note in last.notes:
            performer.say(f"  note: {note}")
        notes += last.notes
        done.append(step.name)
    return Outcome(tuple(changed), tuple(notes))


def _settle(step: AnyStep, performer: Performer, number: int, count: int) -> tuple[int, Plan]:
    """Look, plan and apply until there is nothing to do.

    Returns the number of rounds that changed something, and the last plan.
    """
    rounds = waits = 0
    while True:
        plan = step.plan(performer.patiently(step.look))
        if plan.waiting:
            waits += 1
            if waits > WAITS:
                raise OperatorError(f"{plan.waiting} for {WAITS * WAIT_SECONDS / 60:.0f} minutes.")
            performer.wait(WAIT_SECONDS, plan.waiting)
            continue
        if not plan.calls:
            return rounds, plan
        if rounds == 0:
            performer.say(f"[{number}/{count}] {step.name}")
        if rounds == ROUNDS:
            left = "; ".join(call.reason for call in plan.calls)
            raise OperatorError(f"AWS took every call, and still: {left}. Look at the console.")
        rounds += 1
        step.apply(plan, performer)


def _failure(
    step: AnyStep, error: OperatorError, number: int, count: int, done: Iterable[str]
) -> StepFailed:
    advice = step.advice.get(error.code, "") if isinstance(error, RemoteFailure) else ""
    return _in_words_of_a_step(step.name, error, number, count, done, advice)


def _in_words_of_a_step(
    name: str, error: OperatorError, number: int, count: int, done: Iterable[str], advice: str = ""
) -> StepFailed:
    already = ", ".join(done)
    sentences = [
        f"Step {number} of {count}, {name}: {str(error).rstrip('.')}.",
        advice,
        f"Done already: {already}." if already else "Nothing is done yet.",
        "Mend that, and run the command again. It goes on from here.",
    ]
    return StepFailed(" ".join(filter(None, sentences)))


@contextmanager
def as_a_step(
    name: str, number: int = 1, count: int = 1, *, done: Iterable[str] = ()
) -> Iterator[None]:
    """Report a failure of work that is no ``Step`` as that of a step. Raises ``StepFailed``."""
    try:
        yield
    except OperatorError as error:
        raise _in_words_of_a_step(name, error, number, count, done) from error


@dataclass(frozen=True, slots=True)
class Intended:
    """What a step would do, as a dry run and the list before a removal show it."""

    step: str
    calls: tuple[Call, ...] = ()
    reason: str = ""
    """Why the calls are not known yet or cannot be made, or what AWS is busy with."""


def intentions(steps: Iterable[AnyStep], *, removing: bool = False) -> list[Intended]:
    """Return what each step would do now, without a change. Raises ``RemoteFailure``."""
    found = []
    for step in steps:
        try:
            seen = step.look()
            plan = step.undo(seen) if removing else step.plan(seen)
        except RemoteFailure:
            raise
        except OperatorError as error:
            if not removing:
                why = f"not known yet: {error}" if isinstance(error, Blocked) else str(error)
                found.append(Intended(step.name, reason=why))
            continue
        if plan.calls or plan.waiting:
            found.append(Intended(step.name, plan.calls, plan.waiting))
    return found


def take_away(steps: Sequence[AnyStep], performer: Performer) -> tuple[str, ...]:
    """Remove what the steps made, the last one first; return the names of what was removed.

    Raises ``StepFailed``. Another run goes on from there.
    """
    gone: list[str] = []
    backwards = list(reversed(steps))
    for number, step in enumerate(backwards, start=1):
        try:
            if _remove(step, performer):
                gone.append(step.name)
        except Blocked:
            continue
        except OperatorError as error:
            raise _failure(step, error, number, len(backwards), gone) from error
    return tuple(gone)


def _remove(step: AnyStep, performer: Performer) -> bool:
    removed = False
    waits = 0
    for _ in range(REMOVAL_ROUNDS):
        plan = step.undo(performer.patiently(step.look))
        if plan.waiting:
            waits += 1
            if waits > WAITS:
                raise OperatorError(f"{plan.waiting} for {WAITS * WAIT_SECONDS / 60:.0f} minutes.")
            performer.wait(WAIT_SECONDS, plan.waiting)
            continue
        if not plan.calls:
            return removed
        if not removed:
            performer.say(step.name)
        removed = True
        for call in plan.calls:
            performer.say(f"  {call.reason}")
            performer.perform(call)
    raise OperatorError(f"After {REMOVAL_ROUNDS} rounds it is not empty. Stop what writes to it.")
