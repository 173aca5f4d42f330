"""Numbers as Prometheus reads them: its text format 0.0.4.

It is written by hand, because the format is a few lines and the numbers are the database's. The
client library counts within a process, and would add its own registry, threads and settings.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, with the labels that set it apart from others of its family."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name. Each is a gauge, because it is counted anew for each scrape."""

    name: str
    """In the plural's base unit: ``est_outbox_oldest_seconds``.
    https://prometheus.io/docs/practices/naming/"""
    help: str
    samples: tuple[Sample, ...]


def family(name: str, text: str, *samples: tuple[float, Mapping[str, str]]) -> Family:
    """Return a family of these values and their labels."""
    return Family(name, text, tuple(Sample(value, labels) for value, labels in samples))


def exposition(families: Iterable[Family]) -> str:
    """Return the text. A family without samples is left out."""
    return "".join(line for one in families if one.samples for line in _lines(one))


def _lines(one: Family) -> Iterator[str]:
    yield f"# HELP {one.name} {_escaped(one.help)}\n"
    yield f"# TYPE {one.name} gauge\n"
    for sample in one.samples:
        labels = ",".join(
            f'{name}="{_escaped(value, quoted=True)}"' for name, value in sample.labels.items()
        )
        yield (
            f"{one.name}{{{labels}}} {sample.value}\n"
            if labels
            else (f"{one.name} {sample.value}\n")
        )


def _escaped(text: str, *, quoted: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quoted else escaped
