"""The pages of provisioning template and IoT policy: versions, and which target has which."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from iotprov.admin.document_comparison import CompareVersions
from iotprov.admin.document_editor import NewVersion
from iotprov.admin.document_operations import RollBack, TakeFile, file_path
from iotprov.admin.preview import ShowPreview
from iotprov.admin.push_operations import Compare, Push, PushThis
from iotprov.admin.texts import (
    diff_block,
    difference,
    numbered,
    place_in_text,
    problem_table,
)
from iotprov.documents.state import Agreement, TargetState, target_states
from iotprov.documents.usage import users_in_words
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import Kind, body_in_force, current, name_of
from iotprov.exceptions import DocumentError
from iotprov.json_text.layout import is_one_line, readable, readable_if_one_line
from iotprov.models import DocumentVersion, PolicyVersion, TemplateVersion
from pki.admin import FactAdmin
from pki.admin.display import EMPTY, chip, link, minute, moment, table, utc, visible, words

_TARGET_COLUMNS = (
    gettext_noop("Target"),
    gettext_noop("State"),
    gettext_noop("Holds"),
    gettext_noop("Version in AWS"),
    gettext_noop("Since (UTC)"),
    gettext_noop("Error"),
)

_CHIPS = {
    Agreement.IN_SYNC: "good",
    Agreement.BEHIND: "soon",
    Agreement.FAILED: "bad",
    Agreement.NEVER: "open",
    Agreement.UNKNOWN_TARGET: "past",
}


class DocumentAdmin(FactAdmin):
    """The versions of one document. The newest version of the configured name is in force."""

    kind: ClassVar[Kind]

    list_display = (
        "status",
        "version",
        words("name"),
        "held_by",
        words("reason"),
        words("created_by", "by"),
        minute("created_at", "made"),
    )
    list_display_links = ("version",)
    operations = (
        NewVersion,
        Compare,
        Push,
        ShowPreview,
        TakeFile,
        PushThis,
        CompareVersions,
        RollBack,
    )
    groups = (
        (
            None,
            (
                "status",
                words("name"),
                "number",
                "held_by",
                "used_by",
                words("reason"),
                words("created_by", "by"),
                moment("created_at", "made"),
            ),
        ),
        (gettext_noop("Text"), ("problems", "body_shown")),
        (gettext_noop("What changed"), ("change",)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read too whether a newer version of the name exists, and which targets have it."""
        newer = DocumentVersion.objects.filter(
            kind=OuterRef("kind"), name=OuterRef("name"), number__gt=OuterRef("number")
        )
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.filter(kind=self.kind).annotate(is_replaced=Exists(newer))
        return rows.prefetch_related("pushes")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return whether the index offers ``add/``, which is the operation ``NewVersion``."""
        return NewVersion.is_allowed(request, self.model)

    def audit_term(self, row: DocumentVersion) -> str:
        """Return the target of the document's events."""
        return f"iot-{row.kind}:{row.name}"

    def summary(self, request: HttpRequest) -> SafeString:
        """Show what is in force, and whether each target has it."""
        try:
            body = body_in_force(self.kind)
        except DocumentError as error:
            return format_html('<p class="errornote">{}</p>', visible(str(error)))
        version = current(self.kind)
        if version is None:
            in_force: str = gettext("the configured file {path}").format(path=file_path(self.kind))
        else:
            in_force = link(self.model._default_manager.get(pk=version.pk))
        rows = [
            (
                visible(state.target),
                chip(state.agreement.value, _CHIPS[state.agreement]),
                *_held_in_words(state),
            )
            for state in target_states(self.kind, body)
        ]
        return format_html(
            "<p>{} {}</p>{}",
            format_html(
                gettext("In force as {name}: {version}."),
                name=name_of(self.kind),
                version=in_force,
            ),
            gettext("Live certificates that use it: {count}.").format(count=users_in_words()),
            table(_TARGET_COLUMNS, rows),
        )

    @admin.display(description=gettext_lazy("status"))
    def status(self, row: Any) -> SafeString:
        """Show whether the version is in force."""
        if row.name != name_of(row.kind):
            return chip("Of another name", "past")
        return chip("Replaced", "past") if row.is_replaced else chip("In force", "good")

    @admin.display(description=gettext_lazy("version"), ordering="number")
    def version(self, row: DocumentVersion) -> str:
        """Show the number."""
        return f"v{row.number}"

    @admin.display(description=gettext_lazy("targets that have it"))
    def held_by(self, row: DocumentVersion) -> str:
        """Show the targets to which it was pushed last."""
        targets = sorted(push.target for push in row.pushes.all())
        return visible(", ".join(targets)) or EMPTY

    @admin.display(description=gettext_lazy("problems"))
    def problems(self, row: DocumentVersion) -> str:
        """Show today's problems. Profiles may have changed since the version was written."""
        text = readable_if_one_line(row.body)
        problems = problems_of(row.kind, text, is_kept=True)
        return problem_table(problems, text, place=place_in_text) or gettext("none")

    @admin.display(description=gettext_lazy("text"))
    def body_shown(self, row: DocumentVersion) -> str:
        """Show the text with line numbers."""
        if not is_one_line(row.body):
            return numbered(row.body)
        note = gettext("On record it stands on one line. Here it has a line for each member.")
        return format_html("<p>{}</p>{}", note, numbered(readable(row.body)))

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, row: Any) -> str:
        """Show how many certificates the version holds for, where targets have it."""
        targets = ", ".join(sorted(push.target for push in row.pushes.all()))
        if not targets:
            return gettext("No target has it, so no certificate uses it.")
        return visible(
            gettext("{count} live certificates, at {targets}").format(
                count=users_in_words(), targets=targets
            )
        )

    @admin.display(description=gettext_lazy("from the version before"))
    def change(self, row: DocumentVersion) -> str:
        """Show a diff."""
        before = (
            DocumentVersion.objects.filter(kind=row.kind, name=row.name, number__lt=row.number)
            .order_by("-number")
            .first()
        )
        if before is None:
            return gettext("It is the first one on record.")
        return diff_block(difference(before.body, row.body, str(before), str(row)))


def _held_in_words(state: TargetState) -> tuple[str, ...]:
    push = state.push
    if push is None:
        return EMPTY, EMPTY, EMPTY, ""
    return (
        state.holds,
        visible(push.aws_version) or EMPTY,
        utc(push.pushed_at, "%Y-%m-%d %H:%M"),
        visible(push.error),
    )


@admin.register(TemplateVersion)
class TemplateVersionAdmin(DocumentAdmin):
    """The provisioning template: what JITP makes of a device."""

    kind = Kind.TEMPLATE
    empty_words = gettext_noop(
        "No version is on record, so the configured file is in force. “New version” above puts one "
        "on record; “Push to AWS” takes what is in force to the targets, as "
        "`manage.py sync_template` does."
    )


@admin.register(PolicyVersion)
class PolicyVersionAdmin(DocumentAdmin):
    """The IoT policy: what a device may do."""

    kind = Kind.POLICY
    empty_words = gettext_noop(
        "No version is on record, so the configured file is in force. “New version” above puts one "
        "on record; “Push to AWS” takes what is in force to the targets, as "
        "`manage.py sync_policy` does."
    )
