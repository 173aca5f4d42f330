"""The page that answers the console's search box."""

from collections.abc import Sequence

from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, gettext_noop

from estserver.console.devices.links import device_url
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.operations.search import find
from pki.admin.display import page_of, visible
from pki.operators.errors import OperatorError
from pki.search.findings import Findings, Hit

_OF_DEVICES = "pki.view_issuedcertificate"
_LONGEST_IN_URL = 160  # characters; what is longer may be a key without its PEM lines

_SEARCHED = (
    "pki.view_issuedcertificate",
    "pki.view_denylistentry",
    "pki.view_certificateauthority",
    "pki.view_auditevent",
    "iotprov.view_provisioning",
)


@console_page(
    section=Section.OVERVIEW,
    title=gettext_noop("Search"),
    name="console_search",
    route="search/",
    permission=_SEARCHED,
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def search_page(request: HttpRequest) -> HttpResponseBase:
    """Open the page of the only hit, or list what was found.

    A POST with a short term becomes a GET, whose address can be kept. Anything else stays in the
    POST, so that pasted PEM is in no address and no log.
    """
    typed = (request.POST if request.method == "POST" else request.GET).get("q", "")
    try:
        found = find(typed)
    except OperatorError as error:
        return _shown(request, Findings(), refusal=str(error))
    found.hits = [hit for hit in found.hits if _may_see(request, hit)]
    if (hit := found.only()) is not None:
        return HttpResponseRedirect(_url(hit))
    is_short = "\n" not in typed.strip() and len(typed) <= _LONGEST_IN_URL and "-----" not in typed
    if request.method == "POST" and typed.strip() and is_short:
        query = urlencode({"q": typed.strip()})
        return HttpResponseRedirect(f"{reverse('admin:console_search')}?{query}")
    return _shown(request, found, typed=typed if is_short else "")


def _shown(
    request: HttpRequest, found: Findings, *, typed: str = "", refusal: str = ""
) -> HttpResponseBase:
    groups = [
        (kind, kind in found.shortened, [_cells(hit) for hit in hits])
        for kind, hits in found.groups()
    ]
    context = {
        "title": gettext("Search"),
        "typed": typed,
        "is_asked": bool(found.understood),
        "understood": [visible(each) for each in found.understood],
        "groups": groups,
        "advice": [visible(each) for each in found.advice],
        "refusal": visible(refusal),
    }
    return render_page(request, "admin/console/search.html", context)


def _cells(hit: Hit) -> Sequence[str]:
    return _url(hit), visible(hit.title), visible(hit.detail)


def _url(hit: Hit) -> str:
    return page_of(hit.row) if hit.row is not None else device_url(hit.title)


def _may_see(request: HttpRequest, hit: Hit) -> bool:
    """Return whether the person may open the page that the hit leads to."""
    asked = _view_permission(hit.row) if hit.row is not None else _OF_DEVICES
    return bool(request.user.has_perm(asked))


def _view_permission(row: Model) -> str:
    return f"{row._meta.app_label}.view_{row._meta.model_name}"
