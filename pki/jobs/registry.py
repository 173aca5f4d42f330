"""Where the kinds of jobs are, by name. Each app registers its own when apps are ready.

A kind's module is imported when a job of it is started or worked on, so that a cold start loads
none. For the same reason no kind is imported here.
"""

from django.utils.translation import gettext_noop

paths: dict[str, str] = {
    "deny-import": "pki.jobs.denying.DENY_IMPORT",
    "export": "pki.jobs.exporting.EXPORT",
    "revoke": "pki.jobs.revoking.REVOKE",
}
"""The dotted path of each ``JobKind``."""

titles: dict[str, str] = {
    "deny-import": gettext_noop("Import into the denylist"),
    "export": gettext_noop("Export certificates"),
    "revoke": gettext_noop("Revoke certificates"),
}
"""What an operator calls a job of each kind."""


def register(name: str, path: str, *, title: str = "") -> None:
    """Have the ``JobKind`` at the dotted ``path`` work on jobs of the kind ``name``.

    ``title`` is what an operator calls such a job, with a capital letter, or the name.
    """
    paths[name] = path
    titles[name] = title or name


def unregister(name: str) -> None:
    """Forget the kind ``name``."""
    del paths[name]
    del titles[name]


def title_of(name: str) -> str:
    """Return what an operator calls a job of the kind ``name``, also of another version's kind."""
    return titles.get(name, name)
