"""How the workers of pytest-xdist (`pytest -n`) share a whole run."""

from xdist.scheduler import LoadScopeScheduling

from tests.support.slow import place_in_line

TOGETHER = ("tests/estserver/deploy/package/", "tests/estserver/proof/", "tests/interop/")
"""Folders that one worker runs as a whole, because their files share packages that it makes, or a
server that it starts.
"""

APART = ("tests/test_on_postgresql.py", "tests/iotprov/provisioning/test_faults.py")
"""Files of long tests that share nothing. Each of their tests may run in another worker."""


def workers_for(cores: int) -> int:
    """Return how many workers share a run: a half more than cores.

    Many tests wait: for a child process to start, for a browser, for a time limit that they test.
    """
    return cores + cores // 2


def unit_of(test_id: str) -> str:
    """Return the folder, file or single test that one worker runs as a whole."""
    if test_id.startswith(APART):
        return test_id
    folder = next((folder for folder in TOGETHER if test_id.startswith(folder)), None)
    return folder or test_id.partition("::")[0]


class SlowFirst(LoadScopeScheduling):
    """Give whole units to workers, the slow ones first, so that all workers end together.

    The two methods are those that LoadScopeScheduling's own subclasses override or rely on.
    """

    def _split_scope(self, nodeid):
        return unit_of(nodeid)

    def _assign_work_unit(self, node):
        # The queue is sorted by the number of tests. The first of the slowest comes to its front.
        self.workqueue.move_to_end(min(self.workqueue, key=place_in_line), last=False)
        super()._assign_work_unit(node)
