"""Memory and open files of server processes, over time, and whether they grow."""

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ANONYMOUS = re.compile(r"RssAnon:\s+(\d+) kB")


@dataclass(frozen=True)
class Sample:
    """What processes have at a moment, all together."""

    at: float
    """Requests, inputs or seconds so far: what growth is counted by."""
    memory: int
    """Resident bytes that are no file's (proc(5), status). SQLite maps up to 256 MiB of its file
    into memory, which grows as the database does and can be taken back at any time."""
    files: int


@dataclass
class Gauges:
    """Samples of processes that may be replaced meanwhile."""

    pids: Callable[[], Sequence[int]]
    samples: list[Sample] = field(default_factory=list)

    def look(self, at: float) -> Sample:
        """Take a sample, and return it."""
        sample = Sample(at, sum(map(_memory, self.pids())), sum(map(_files, self.pids())))
        self.samples.append(sample)
        return sample

    def growth(self, *, warm_up: float = 0.25) -> float:
        """Return the bytes that memory grew by for each unit of `Sample.at`, by regression.

        ``warm_up`` is the share of samples at the beginning that do not count: threads, caches
        and connections are made then.
        """
        counted = self.samples[int(len(self.samples) * warm_up) :]
        line = statistics.linear_regression(
            [sample.at for sample in counted], [sample.memory for sample in counted]
        )
        return line.slope

    def grown(self, *, warm_up: float = 0.25) -> float:
        """Return the bytes that memory grew by after the warm-up, by the same regression."""
        counted = self.samples[int(len(self.samples) * warm_up) :]
        return self.growth(warm_up=warm_up) * (counted[-1].at - counted[0].at)


def _memory(pid: int) -> int:
    (anonymous,) = _ANONYMOUS.findall(Path(f"/proc/{pid}/status").read_text())
    return int(anonymous) * 1024


def _files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
