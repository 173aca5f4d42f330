"""One action or list of the product."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that can be done or looked at, and the doors to it."""

    name: str
    """In a few words, such as "Revoke a certificate"."""
    commands: tuple[str, ...]
    """As they are typed, the subcommand included: ``denylist add``. Each does it."""
    pages: tuple[str, ...] = ()
    """The names of the console's URLs, without ``admin:``."""
    api: tuple[str, ...] = ()
    """Method and path below ``/api/v1/``, such as ``POST denylist/import``."""
    permission: str = ""
    """Django's permission for page and API. A command is for whoever owns the machine."""
    services: tuple[str, ...] = ()
    """Dotted paths of the functions that every door calls; none for what only reads rows."""
    without_page: str = ""
    """Why there is no page."""
    without_api: str = ""
    """Why there is no call of the API."""
