"""The question what differs between two versions of a document."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.texts import diff_block, difference
from iotprov.models import DocumentVersion
from pki.admin import Question


def _others(row: DocumentVersion) -> QuerySet[DocumentVersion]:
    """Return the other versions of the document, newest first."""
    same = DocumentVersion.objects.filter(kind=row.kind, name=row.name).exclude(pk=row.pk)
    return same.order_by("-number")


class OtherVersionForm(forms.Form):
    """Another version of the same document."""

    other = forms.ModelChoiceField(
        DocumentVersion.objects.none(), label=gettext_noop("Compare with"), empty_label=None
    )

    def __init__(self, *args: Any, row: DocumentVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # declared above
        field.queryset = _others(row).defer("body")


class CompareVersions(Question):
    """Show what differs between the version of the page and another one."""

    slug = "compare-versions"
    label = gettext_noop("Compare with another version")
    form_class = OtherVersionForm

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """A document needs a second version."""
        if _others(row).exists():
            return ""
        return gettext("{version} is the only version on record.").format(version=row)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the version that the others are compared with."""
        return {**super().get_form_kwargs(), "row": self.row}

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return a diff from the earlier version to the later one."""
        first, second = sorted((self.row, form.cleaned_data["other"]), key=lambda one: one.number)
        changes = difference(first.body, second.body, str(first), str(second))
        if changes:
            return diff_block(changes)
        same = gettext("{first} and {second} have the same text.")
        if first.body != second.body:
            same = gettext("{first} and {second} differ in layout only.")
        return format_html("<p>{}</p>", same.format(first=first, second=second))
