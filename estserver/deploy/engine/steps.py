"""A step: what AWS holds of one thing, and the calls that make it what we want, or take it away.

A step is carried out by looking, planning, applying, and looking again, until there is nothing
left to plan. So a second run changes nothing, a run after a failure goes on where that one
stopped, and what a step says is done was read from AWS afterwards.
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
    """A step can't look yet: what it belongs to isn't there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step would do next. Empty when AWS holds what we want."""

    calls: tuple[Call, ...] = ()
    waiting: str = ""
    """What AWS is busy with; nothing can be done before it has finished."""
    notes: tuple[str, ...] = ()
    """What isn't as it should be and no call of ours can mend: what it is, and what to do."""


DONE = Plan()


class Step(ABC, Generic[S]):
    """One thing in AWS that this package looks after."""

    severity: ClassVar[Severity] = "FAIL"
    """What its absence or a change means for ``aws_status``."""
    advice: ClassVar[Mapping[str, str]] = {}
    """What to do, by AWS's error code."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As it is shown."""

    @abstractmethod
    def look(self) -> S:
        """What AWS holds; changes nothing. Raises ``Blocked`` and ``RemoteFailure``."""

    @abstractmethod
    def plan(self, seen: S) -> Plan:
        """What would bring ``seen`` to what we want."""

    def undo(self, seen: S) -> Plan:
        """What would take away what this tool made, and nothing else."""
        return DONE

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Carry out a plan."""
        for call in plan.calls:
            performer.say(f"  {call.reason}")
            performer.perform(call)


AnyStep = Step[Any]
