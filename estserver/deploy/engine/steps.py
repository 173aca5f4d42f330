"""A step: one resource in AWS, the calls that bring it to the desired state, or take it away.

A step is carried out by looking, planning, applying, and looking again, until nothing is left to
plan. So a second run changes nothing, a run after a failure goes on where that one stopped, and
a step is reported as done only after AWS has been read again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import Performer
from pki.operators.errors import OperatorError

S = TypeVar("S")
Severity = Literal["WARN", "FAIL"]


class Blocked(OperatorError):
    """The step's parent resource does not exist yet, so its state cannot be read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step would do next. It is empty when AWS holds the desired state."""

    calls: tuple[Call, ...] = ()
    waiting: str = ""
    """What AWS is busy with, as a phrase. No call can be made before AWS has finished."""
    notes: tuple[str, ...] = ()
    """What differs and no planned call can mend, in sentences: what was found, and what to do."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do or to wait for."""
        return not self.calls and not self.waiting


DONE = Plan()


class Step(ABC, Generic[S]):
    """One resource in AWS that this package looks after."""

    severity: ClassVar[Severity] = "FAIL"
    """The level in ``aws_status`` when the resource is missing or differs."""
    advice: ClassVar[Mapping[str, str]] = {}
    """What to do, in sentences, by AWS's error code."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The step's name in plans, messages and ``aws_status``."""

    @abstractmethod
    def look(self) -> S:
        """Read what AWS holds. Raises ``Blocked`` and ``RemoteFailure``."""

    @abstractmethod
    def plan(self, seen: S) -> Plan:
        """Return what brings ``seen`` to the desired state.

        Raises ``OperatorError`` when only a person can do that.
        """

    def undo(self, seen: S) -> Plan:
        """Return what takes away what this tool made, and nothing else."""
        return DONE

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Carry out the calls of a plan. Raises ``RemoteFailure``."""
        for call in plan.calls:
            performer.say(f"  {call.reason}")
            performer.perform(call)


AnyStep = Step[Any]
