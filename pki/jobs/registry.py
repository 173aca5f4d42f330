"""Where the kinds of jobs are, by name. Each app registers its own when apps are ready.

A kind's module is imported when a job of it is started or worked on, so that a cold start loads
none. For the same reason nothing is imported here.
"""

paths: dict[str, str] = {
    "deny-import": "pki.jobs.denying.DENY_IMPORT",
    "export": "pki.jobs.exporting.EXPORT",
    "revoke": "pki.jobs.revoking.REVOKE",
}
"""The dotted path of each ``JobKind``."""


def register(name: str, path: str) -> None:
    """Have the ``JobKind`` at the dotted ``path`` work on jobs of the kind ``name``."""
    paths[name] = path


def unregister(name: str) -> None:
    """Forget the kind ``name``."""
    del paths[name]
