"""The ground that every model's admin stands on: rows are facts, read here and never edited."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from pki.admin.display import list_of, visible
from pki.admin.downloads import Download, Export
from pki.admin.operations import Operation
from pki.models import AuditEvent

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


Field = str | Callable[[Any], str]
Groups = tuple[tuple[str | None, tuple[Field, ...]], ...]


class FactAdmin(_ModelAdmin):
    """Lists and shows rows; changes go through ``operations``, files through ``downloads``.

    Permissions are Django's: *view* shows rows, and each operation names the one it needs.
    """

    operations: ClassVar[tuple[type[Operation], ...]] = ()
    downloads: ClassVar[Mapping[str, tuple[str, Callable[[Any], Download | None]]]] = {}
    """By name in the URL: the words on the link, and what makes the file (``None``: none yet)."""
    export: ClassVar[Export | None] = None
    """What makes a file of the rows that the list shows."""
    groups: ClassVar[Groups]
    """What a row's page shows, in groups with their titles."""
    empty_words: ClassVar[str] = ""
    """What an empty list says: what to do, and which command does it."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions: Any = None  # without any, a list has no boxes to tick
    change_form_template = "admin/pki/fact.html"
    change_list_template = "admin/pki/fact_list.html"

    @classmethod
    def extend(cls, *, operations: tuple[type[Operation], ...] = (), groups: Groups = ()) -> None:
        """Add what another app knows of these rows; for that app's own admin module to call."""
        cls.operations = (*cls.operations, *operations)
        cls.groups = (*cls.groups, *groups)

    def summary(self, request: HttpRequest) -> SafeString | str:
        """What stands above the list: how all of it is doing."""
        return ""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Rows come from services; a model with an operation ``add`` says otherwise."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: what changes a row is an operation."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: what removes a row is an operation."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """``groups``, as Django wants them."""
        return [(title, {"fields": fields}) for title, fields in self.groups]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of them."""
        return [field for _, fields in self.groups for field in fields]

    def audit_term(self, row: Any) -> str:
        """What finds the row's events when it is searched for in the audit trail."""
        return ""

    def get_urls(self) -> list[URLPattern]:
        """Django's, after our operations and downloads."""
        stem = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        ours = [
            path(
                f"{one.slug}/" if one.is_for_list else f"<uuid:object_id>/{one.slug}/",
                wrap(one.as_view(model_admin=self)),
                name=f"{stem}_{one.slug}",
            )
            for one in self.operations
        ]
        if self.downloads:
            ours.append(
                path(
                    "<uuid:object_id>/download/<slug:name>",
                    wrap(self.download_view),
                    name=f"{stem}_download",
                )
            )
        if self.export is not None:
            ours.append(path("export/", wrap(self.export_view), name=f"{stem}_export"))
        return [*ours, *super().get_urls()]

    def download_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """One of the row's files, as an attachment."""
        row = self.get_object(request, str(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None or name not in self.downloads:
            raise Http404
        _, make = self.downloads[name]
        download = make(row)
        if download is None:
            raise Http404
        return download.as_response()

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Every row that the list's filters and search leave."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        assert self.export is not None  # noqa: S101  # get_urls() saw to it
        return self.export.as_response(self.get_changelist_instance(request).queryset)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit trail is the history: Django's own knows neither commands nor reasons."""
        row = self.get_object(request, str(object_id))
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
        """Add what may be done with the row, and make its name safe to read."""
        context |= {
            "title": capfirst(self.opts.verbose_name),
            "subtitle": visible(str(obj)),
            "operation_links": self._operation_links(request, obj),
            "download_links": [
                (words, self._url("download", obj.pk, name))
                for name, (words, make) in self.downloads.items()
                if make(obj) is not None
            ],
            "audit_url": self.audit_term(obj) and list_of(AuditEvent, q=self.audit_term(obj)),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add what may be done without a row, and what an empty list says."""
        links = [
            (one.label, self._url(one.slug))
            for one in self.operations
            if one.is_for_list and one.is_allowed(request, self.model)
        ]
        if self.export is not None:
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            links.append((self.export.label, self._url("export") + query))
        ours = {
            "title": capfirst(self.opts.verbose_name_plural),
            "operation_links": links,
            "empty_words": self.empty_words,
            "summary": self.summary(request),
        }
        return super().changelist_view(request, {**ours, **(extra_context or {})})

    def _operation_links(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [
            (one.label, self._url(one.slug, row.pk))
            for one in self.operations
            if not one.is_for_list and one.is_allowed(request, self.model) and not one.obstacle(row)
        ]

    def _url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)
