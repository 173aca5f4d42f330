"""How many processes serve devices."""

import os
from pathlib import Path
from typing import Any

CGROUP = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use: a quota and a period in microseconds, or "max" and a period.
https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
"""


def process_count(engine: str) -> int:
    """Return how many processes serve best with a database of this ``ENGINE`` of Django.

    SQLite has one writer, so processes only wait for one another. Elsewhere it is one a core.
    """
    return 1 if engine.endswith("sqlite3") else usable_cores()


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return how many cores this process may use, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, _, period = cgroup.read_text(encoding="ascii").strip().partition(" ")
        allowed = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no cgroup, or "max"
        return cores or 1
    return max(1, min(cores or 1, round(allowed)))


def engine_in(databases: Any) -> str:
    """Return the engine of Django's default database, "" for none."""
    return str(databases.get("default", {}).get("ENGINE", ""))
