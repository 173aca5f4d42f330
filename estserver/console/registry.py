"""The console's registry: its sections, the links of its navigation, and the pages of its own.

A page that belongs to a model is a model admin, as everywhere in Django. Any other page is a view
under ``@console_page``. Django's autodiscovery imports the modules that register both: ``admin.py``
of an app, and what it imports. A package of your own is such an app.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_noop

View = Callable[..., HttpResponseBase]


class Section(Enum):
    """The sections of the navigation, in their order. They are named after an operator's jobs."""

    OVERVIEW = gettext_noop("Overview")
    DEVICES = gettext_noop("Devices")
    CERTIFICATES = gettext_noop("Certificates")
    DENYLIST = gettext_noop("Denylist")
    CAS = gettext_noop("CAs and truststore")
    AWS_IOT = gettext_noop("AWS IoT")
    JOBS = gettext_noop("Jobs")
    TOOLS = gettext_noop("Tools")
    AUDIT = gettext_noop("Audit")
    PEOPLE = gettext_noop("People")
    SETTINGS = gettext_noop("Settings")
    OTHER = gettext_noop("Other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the navigation."""

    section: Section
    title: str
    url_name: str
    """The name of the URL in full, such as ``admin:pki_job_changelist``."""
    permissions: tuple[str, ...] = ()
    """Permissions of which a person needs one, such as ``pki.view_job``; none: all who sign in."""
    query: tuple[tuple[str, str], ...] = ()
    """What follows the path, such as a filter of a list."""

    def url(self) -> str:
        """Return the address."""
        path = reverse(self.url_name)
        return f"{path}?{urlencode(self.query)}" if self.query else path

    def is_for(self, request: HttpRequest) -> bool:
        """Return whether the signed-in person may open it."""
        return may(request, self.permissions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the console that belongs to no model."""

    section: Section
    title: str
    name: str
    """The name of the URL below ``admin:``, such as ``console_settings``."""
    route: str
    """The path below ``/admin/``, as ``django.urls.path`` takes it: ``device/<str:name>/``."""
    view: View
    permissions: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset({"GET", "HEAD"})
    is_in_navigation: bool = True
    """``False`` for a page that needs an argument, or to which other pages lead."""
    asks_again: bool = False
    """Whether the person has to give their password again for it (`estserver.people.again`)."""
    asks_again_to_send: bool = False
    """Whether they have to for sending its form only, because the page itself is a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLine:
    """One line of a panel: a finding, and what to do about it."""

    word: str
    """The state in a word, such as ``OK`` or ``Failed``."""
    kind: str
    """The kind of chip that shows it: good, soon, over, bad, past or open."""
    text: str
    todo: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of the overview that another module fills, such as the summary of a check."""

    title: str
    read: Callable[[], Sequence[PanelLine]]
    """What is called for each overview. It has to be quick, and must not ask AWS."""
    permissions: tuple[str, ...] = ()
    url_name: str = ""
    """The page that shows all of it, such as ``admin:console_doctor``."""


@dataclass(slots=True)
class Registry:
    """What was registered. ``console`` is the one that the site uses."""

    links: list[Link] = field(default_factory=list)
    pages: dict[str, Page] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)

    def add_panel(self, panel: Panel) -> None:
        """Add a part to the overview, below those that were added before."""
        self.panels.append(panel)

    def add_link(self, link: Link) -> None:
        """Add a link to the navigation, below the links of its section that were added before."""
        self.links.append(link)

    def add_page(self, page: Page) -> None:
        """Add a page, and its link. Raises ``ValueError`` if the name or the route is taken."""
        for other in self.pages.values():
            if page.name == other.name or page.route == other.route:
                raise ValueError(
                    f"The page {other.name} is registered at {other.route}. Give the page "
                    f"{page.name} at {page.route} a name and a route of its own."
                )
        self.pages[page.name] = page
        if page.is_in_navigation:
            self.add_link(
                Link(
                    section=page.section,
                    title=page.title,
                    url_name=f"admin:{page.name}",
                    permissions=page.permissions,
                )
            )


console = Registry()


def console_page(
    *,
    section: Section,
    title: str,
    name: str,
    route: str,
    permission: str | Iterable[str] = (),
    methods: Iterable[str] = ("GET",),
    is_in_navigation: bool = True,
    asks_again: bool = False,
    asks_again_to_send: bool = False,
    registry: Registry = console,
) -> Callable[[View], View]:
    """Return a decorator that makes a view a page of the console.

    The view is called for a person who is signed in and has the permission (one of them, if there
    are several), with one of ``methods``. Everyone else gets the answer 403 or 405. A HEAD is
    answered where a GET is. ``asks_again`` has the person give their password again, and
    ``asks_again_to_send`` only when the form is sent. The view stays as it is, so a test can call
    it.
    """
    permissions = (permission,) if isinstance(permission, str) else tuple(permission)
    allowed = frozenset(methods) | ({"HEAD"} if "GET" in methods else frozenset())

    def register(view: View) -> View:
        registry.add_page(
            Page(
                section=section,
                title=title,
                name=name,
                route=route,
                view=view,
                permissions=tuple(filter(None, permissions)),
                methods=allowed,
                is_in_navigation=is_in_navigation,
                asks_again=asks_again,
                asks_again_to_send=asks_again_to_send,
            )
        )
        return view

    return register


def list_link(section: Section, model: str, title: str, **query: str) -> Link:
    """Return a link to a model's list, for those who may view or change its rows.

    ``model`` is a label such as ``pki.issuedcertificate``, and ``query`` a filter of the list.
    """
    app, name = model.split(".")
    return Link(
        section=section,
        title=title,
        url_name=f"admin:{app}_{name}_changelist",
        permissions=(f"{app}.view_{name}", f"{app}.change_{name}"),
        query=tuple(query.items()),
    )


def may(request: HttpRequest, permissions: Iterable[str]) -> bool:
    """Return whether the person has one of the permissions, or none is asked for."""
    asked = tuple(permissions)
    user: Any = request.user
    return not asked or any(user.has_perm(one) for one in asked)
