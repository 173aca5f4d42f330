"""The navigation: which lists stand in which section, and what a person sees of it.

The applications below do not know the console, so their lists are placed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.registry import Link, Registry, Section, console, list_link

LISTS = (
    Link(section=Section.OVERVIEW, title=gettext_noop("Overview"), url_name="admin:index"),
    list_link(Section.CERTIFICATES, "pki.issuedcertificate", gettext_noop("Certificates")),
    list_link(Section.DENYLIST, "pki.denylistentry", gettext_noop("Denylist")),
    list_link(Section.CAS, "pki.certificateauthority", gettext_noop("CAs")),
    list_link(Section.CAS, "estserver.truststorepush", gettext_noop("Truststore")),
    list_link(Section.CAS, "pki.certificateprofile", gettext_noop("Profiles")),
    list_link(Section.AWS_IOT, "iotprov.provisioning", gettext_noop("Waiting for AWS IoT")),
    list_link(Section.AWS_IOT, "iotprov.caregistration", gettext_noop("CAs in AWS IoT")),
    list_link(Section.AWS_IOT, "iotprov.templateversion", gettext_noop("Provisioning template")),
    list_link(Section.AWS_IOT, "iotprov.policyversion", gettext_noop("Policy")),
    list_link(Section.JOBS, "pki.job", gettext_noop("Jobs")),
    list_link(Section.JOBS, "estserver.pendinghook", gettext_noop("Hooks to repeat")),
    list_link(Section.JOBS, "estserver.message", gettext_noop("Messages")),
    list_link(Section.AUDIT, "pki.auditevent", gettext_noop("Audit trail")),
    list_link(Section.PEOPLE, "auth.user", gettext_noop("Accounts")),
    list_link(Section.PEOPLE, "auth.group", gettext_noop("Groups")),
    list_link(Section.SETTINGS, "estserver.webhook", gettext_noop("Webhooks")),
)
"""The overview, and the lists of this project's models and of Django's, in their order."""


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link as a page shows it."""

    title: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section as a page shows it. One with a single link is that link."""

    title: str
    links: tuple[ShownLink, ...]

    @property
    def is_current(self) -> bool:
        """Whether it has the page that is open."""
        return any(link.is_current for link in self.links)

    @property
    def only(self) -> ShownLink | None:
        """Its link if it has one only."""
        return self.links[0] if len(self.links) == 1 else None


def navigation(
    request: HttpRequest, site: AdminSite, registry: Registry = console
) -> list[ShownSection]:
    """Return the sections with the links that the signed-in person may open."""
    links = [(link, link.url()) for link in _links(request, site, registry)]
    current = _current(request.path, [url for _, url in links])
    shown = (
        ShownSection(
            gettext(section.value),
            tuple(
                ShownLink(gettext(link.title), url, is_current=url == current)
                for link, url in links
                if link.section is section
            ),
        )
        for section in Section
    )
    return [section for section in shown if section.links]


def _links(request: HttpRequest, site: AdminSite, registry: Registry) -> Iterator[Link]:
    placed = [*registry.links, *LISTS]
    for link in [*placed, *_other_lists(site, {link.url_name for link in placed})]:
        if link.is_for(request) and _exists(link):
            yield link


def _other_lists(site: AdminSite, placed: set[str]) -> Iterator[Link]:
    """Yield the lists of models that a package of an installation's own registered."""
    for model in site._registry:
        options = model._meta
        link = list_link(
            Section.OTHER, options.label_lower, str(options.verbose_name_plural).capitalize()
        )
        if link.url_name not in placed:
            yield link


def _exists(link: Link) -> bool:
    try:
        link.url()
    except NoReverseMatch:  # a site of an installation's own may leave a list out
        return False
    return True


def _current(path: str, urls: list[str]) -> str:
    """Return the address that leads to the page at ``path`` or to the list above it."""
    index = reverse("admin:index")  # it begins every other address
    above = [url for url in urls if path == url or (path.startswith(url) and url != index)]
    return max(above, key=len, default="")
