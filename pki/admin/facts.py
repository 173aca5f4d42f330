"""The base of every page: it shows rows as facts, which operations change and forms never edit."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext

from pki.admin.bounded_count import BoundedChangeList, BoundedPaginator
from pki.admin.display import list_of, visible
from pki.admin.downloads import Download, Export
from pki.admin.operations import BACK, ModelAdmin, Operation
from pki.admin.search import Term
from pki.models import AuditEvent
from pki.operators.rights import NotAllowed

_LIST_FILTERS = "_changelist_filters"
"""Django's name for what a row's address has of the list that led there."""

Field = str | Callable[[Any], str]
Groups = tuple[tuple[str | None, tuple[Field, ...]], ...]


class FactAdmin(ModelAdmin):
    """A page that lists and shows rows, with ``operations`` that change them.

    Permissions are Django's: *view* shows rows, and each operation names the one that it needs.
    """

    operations: ClassVar[tuple[type[Operation], ...]] = ()
    downloads: ClassVar[Mapping[str, tuple[str, Callable[[Any], Download | None]]]] = {}
    """By name in the URL: the words on the link, and what makes the file (or ``None``)."""
    export: ClassVar[Export | None] = None
    """What makes a file from the rows that the list shows."""
    groups: ClassVar[Groups]
    """The fields that a row's page shows, in groups with their titles."""
    empty_words: ClassVar[str] = ""
    """What an empty list shows: what to do, and which command does it."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    actions: Any = None  # a list without actions has no boxes to tick
    change_form_template = "admin/pki/fact.html"
    change_list_template = "admin/pki/fact_list.html"

    @classmethod
    def extend(
        cls,
        *,
        operations: tuple[type[Operation], ...] = (),
        groups: Groups = (),
        second: Groups = (),
    ) -> None:
        """Add operations and fields of another app, whose own admin module calls this.

        ``second`` are groups that come after the first one of the page, before all others.
        """
        cls.operations = (*cls.operations, *operations)
        cls.groups = (*cls.groups[:1], *second, *cls.groups[1:], *groups)

    def summary(self, request: HttpRequest) -> SafeString | str:
        """Return what stands above the list: the state of all rows together."""
        return ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        """Return the list that counts to a bound."""
        return BoundedChangeList

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return ``False``, because services make rows. Pages with an operation ``add`` differ."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return ``False``, because only operations change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return ``False``, because only operations remove rows."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return ``groups`` in Django's form."""
        return [(title and gettext(title), {"fields": fields}) for title, fields in self.groups]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all fields."""
        return [field for _, fields in self.groups for field in fields]

    def search_condition(self, term: Term) -> Q:
        """Return the condition for the rows that a search term means."""
        return Q()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search with ``search_condition``. Django's own search would read the whole table."""
        term = Term.parse(search_term)
        return queryset.filter(self.search_condition(term)) if term.text else queryset, False

    def audit_term(self, row: Any) -> str:
        """Return the text that finds the row's events in the audit trail; "" for no link there."""
        return ""

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of operations and downloads, before Django's own."""
        stem = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        own = [
            path(
                f"{one.slug}/" if one.is_for_list else f"<uuid:object_id>/{one.slug}/",
                wrap(one.as_view(model_admin=self)),
                name=f"{stem}_{one.slug}",
            )
            for one in self.operations
        ]
        if self.downloads:
            own.append(
                path(
                    "<uuid:object_id>/download/<slug:name>",
                    wrap(self.download_view),
                    name=f"{stem}_download",
                )
            )
        if self.export is not None:
            own.append(path("export/", wrap(self.export_view), name=f"{stem}_export"))
        return [*own, *super().get_urls()]

    def download_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Answer with one of the row's files, as an attachment."""
        row = self.get_object(request, str(object_id))
        if not self.has_view_permission(request, row):
            raise NotAllowed(self.has_view_permission)
        if row is None or name not in self.downloads:
            raise Http404
        _, make = self.downloads[name]
        download = make(row)
        if download is None:
            raise Http404
        return download.as_response()

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Answer with a file of every row that the list's filters and search leave."""
        if not self.has_view_permission(request):
            raise NotAllowed(self.has_view_permission)
        assert self.export is not None  # noqa: S101  # get_urls() checks it
        shown: Any = self.get_changelist_instance(request)
        return self.export.as_response(shown.everything)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the audit trail. Django's own history knows neither commands nor reasons.

        The address says what the row is, so a person needs the right to see it (threat T59).
        """
        row = self.get_object(request, str(object_id))
        if not self.has_view_permission(request, row):
            raise NotAllowed(self.has_view_permission)
        if row is None:
            raise Http404
        return redirect(list_of(AuditEvent, q=self.audit_term(row)))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Add links to operations and files, and make the row's name safe to read."""
        context |= {
            "title": capfirst(str(self.opts.verbose_name)),
            "subtitle": visible(str(obj)),
            "operation_links": self._operation_links(request, obj),
            "download_links": [
                (gettext(words), self._url("download", obj.pk, name))
                for name, (words, make) in self.downloads.items()
                if make(obj) is not None
            ],
            "audit_url": self.audit_term(obj) and list_of(AuditEvent, q=self.audit_term(obj)),
            "list_query": request.GET.get(_LIST_FILTERS, ""),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add links to operations that need no row, and the words for an empty list."""
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        links = [
            (gettext(one.label), self._url(one.slug) + (query if one.keeps_filter else ""))
            for one in self.operations
            if one.is_for_list and one.is_offered() and one.is_allowed(request, self.model)
        ]
        if self.export is not None:
            links.append((gettext(self.export.label), self._url("export") + query))
        context = {
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "operation_links": links,
            "empty_words": self.empty_words and gettext(self.empty_words),
            "summary": self.summary(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _operation_links(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """Return the links. Each leads back to this page, which leads back to the filtered list."""
        filters = request.GET.get(_LIST_FILTERS)
        back = f"?{urlencode({BACK: request.get_full_path()})}" if filters else ""
        return [
            (gettext(one.label), self._url(one.slug, row.pk) + back)
            for one in self.operations
            if not one.is_for_list
            and one.is_offered()
            and one.is_allowed(request, self.model)
            and not one.obstacle(row)
        ]

    def _url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)
