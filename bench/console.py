"""Every page of the web admin that a GET shows, found in the site, so that none is forgotten.

Lists come from the site's registry: the bare list, a later page, each choice of each filter, each
column in both directions, each form of a search term. All other pages come from the site's URLs,
that of devices with each state. Exports and downloads are left out, because they are files of any
length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

NO_PAGES = ("logout", "jsi18n", "autocomplete", "view_on_site", "password_change_done")
"""Names of URLs that show nothing of the record."""

NO_HTML = ("_export", "_download", "_delete", "_history")
"""Ends of names of URLs that answer with a file or a redirect, or that no person may open."""

NO_SUCH_TERM = "no-such-thing"


@dataclass(frozen=True)
class Page:
    """A page: where it belongs, what it shows, its address."""

    owner: str
    """``app.model`` of its list, or "" for a page without one."""
    what: str
    url: str


def pages(site: AdminSite, user: Any, *, are_combined: bool = False) -> Iterator[Page]:
    """Yield each page that ``user``, who may see everything, can open.

    ``are_combined`` adds each choice of a filter with each column that it may be sorted by.
    """
    yield from _pages_without_rows(site)
    yield from _lists_of_devices()
    for model, model_admin in site._registry.items():
        owner = model._meta.label_lower
        listing = _List(model_admin, reverse(f"admin:{owner.replace('.', '_')}_changelist"), user)
        yield from listing.pages(owner, are_combined=are_combined)
        for what, row in listing.rows().items():
            yield from _pages_of_row(site, owner, what, row)


class _List:
    """The list of a model, with what its own page offers."""

    def __init__(self, model_admin: ModelAdmin, url: str, user: Any) -> None:
        self.model_admin, self.url, self.user = model_admin, url, user

    def shown(self, **query: str) -> ChangeList:
        """Return the list as ``query`` makes it."""
        request: HttpRequest = RequestFactory().get(self.url, query)
        request.user = self.user
        return self.model_admin.get_changelist_instance(request)

    def pages(self, owner: str, *, are_combined: bool) -> Iterator[Page]:
        """Yield the list in every form."""
        filters, orders, terms = self.filters(), self.orders(), self.terms()
        last = self.shown().paginator.num_pages
        later = (
            {"page 2": {"p": "2"}, f"page {last}, the last": {"p": str(last)}} if last > 1 else {}
        )
        forms = {"list": {}, **later, **filters, **orders, **terms}
        if are_combined:
            forms |= {
                f"{one}, {other}": {**narrowed, **ordered}
                for one, narrowed in filters.items()
                for other, ordered in orders.items()
                if not other.startswith("sort -")
            }
        for what, query in forms.items():
            yield Page(owner, what, f"{self.url}?{urlencode(query)}" if query else self.url)

    def filters(self) -> dict[str, dict[str, str]]:
        """Return the query of each choice of each filter."""
        shown = self.shown()
        found = {}
        for spec in shown.filter_specs:
            for choice in spec.choices(shown):
                query = dict(parse_qsl(choice["query_string"].removeprefix("?")))
                if query:
                    found[f"filter {spec.title}: {choice['display']}"] = query
        return found

    def orders(self) -> dict[str, dict[str, str]]:
        """Return the query of each column that can be sorted by, in both directions."""
        shown = self.shown()
        return {
            f"sort {sign}{getattr(name, '__name__', name)}": {"o": f"{sign}{place}"}
            for place, name in enumerate(shown.list_display)
            if shown.get_ordering_field(name) and _can_be_sorted(shown, name)
            for sign in ("", "-")
        }

    def terms(self) -> dict[str, dict[str, str]]:
        """Return the query of each form of a search term."""
        if not self.shown().search_fields:
            return {}
        return {f"search {form}": {"q": term} for form, term in search_terms().items()}

    def rows(self) -> dict[str, Any]:
        """Return a row of the list, and the first one of each choice of a filter."""
        found: dict[str, Any] = {}
        for what, query in {"row": {}, **self.filters()}.items():
            for row in list(self.shown(**query).result_list)[:1]:  # the page's own statement
                if row not in found.values():
                    found[what if what == "row" else f"row of {what}"] = row
        return found


def _can_be_sorted(shown: ChangeList, name: Any) -> bool:
    return shown.sortable_by is None or name in shown.sortable_by


def _pages_without_rows(site: AdminSite) -> Iterator[Page]:
    lists = {f"{one._meta.app_label}_{one._meta.model_name}_changelist" for one in site._registry}
    for name in sorted(_names() - lists):
        try:
            yield Page("", name, reverse(f"admin:{name}"))
        except NoReverseMatch:  # it needs a row
            continue


def _lists_of_devices() -> Iterator[Page]:
    """Yield the list of devices by each state, by the names' beginning, and further down."""
    from pki.devices.states import DeviceState

    url = reverse("admin:console_devices")
    name = search_terms()["name"]
    queries = {f"state {state.slug}": {"state": state.slug} for state in DeviceState}
    queries |= {
        f"{what}, further down": {**query, "after": name} for what, query in queries.items()
    }
    queries |= {"names that begin so": {"q": name[:2]}, "further down": {"after": name}}
    for what, query in queries.items():
        yield Page("", f"devices: {what}", f"{url}?{urlencode(query)}")


def _pages_of_row(site: AdminSite, owner: str, what: str, row: Any) -> Iterator[Page]:
    stem = owner.replace(".", "_")
    names = sorted(one for one in _names() if one.startswith(f"{stem}_"))
    for name in names if what == "row" else [f"{stem}_change"]:  # operations are alike for all rows
        try:
            url = reverse(f"admin:{name}", args=[row.pk])
        except NoReverseMatch:
            continue
        yield Page(owner, f"{name.removeprefix(f'{stem}_')} of {what}", url)


def _names() -> set[str]:
    """Return the names of the site's URLs, without files and what shows nothing."""

    def below(patterns: list[Any]) -> Iterator[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from below(one.url_patterns)
            elif isinstance(one, URLPattern) and one.name and one.name not in NO_PAGES:
                yield one.name

    (admin,) = (
        one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "admin"
    )
    return {name for name in below([admin]) if not name.endswith(NO_HTML)}


def search_terms() -> dict[str, str]:
    """Return what an operator may have in hand, by its form."""
    from pki.models import IssuedCertificate

    issued = IssuedCertificate.objects.filter(state=IssuedCertificate.State.ISSUED)
    row = issued.exclude(predecessor=None).first() or issued.latest("created_at")
    serial = row.serial_number
    pairs = serial.zfill(len(serial) + len(serial) % 2)
    return {
        "serial": serial,
        "serial with colons": ":".join(pairs[i : i + 2] for i in range(0, len(pairs), 2)).upper(),
        "serial in decimal": str(int(serial, 16)),
        "serial said to be decimal": f"dec:{int(serial, 16)}",
        "name": row.common_name,
        "CN=name": f"CN={row.common_name}",
        "letter that names begin with": row.common_name[0],
        "fingerprint": row.fingerprint_sha256 or "",
        "key hash": row.key_sha256,
        "client of one": row.client_fingerprint,
        "client of many": issued.order_by("created_at")[0].client_fingerprint,
        "device serial": row.device_serial or "SN:1",
        "request id": row.request_id,
        "source IP": row.source_ip or "198.51.100.1",
        "person": "operator-1",
        "no match": NO_SUCH_TERM,
        "no match, hex": "0123456789abcdef" * 4,
    }
