"""Operations on the text of template and policy: take the configured file, roll back.

``document_editor`` has the editor, and ``push_operations`` what calls AWS.
"""

from typing import Any

from django import forms
from django.utils.html import format_html_join
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.based_on import OnVersion, kind_of
from iotprov.admin.texts import diff_block, difference, problem_table
from iotprov.conf import iot_settings
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    Kind,
    add_version,
    body_in_force,
    body_of_file,
    current,
    roll_back,
)
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.admin import Done, Operation
from pki.record.audit_trail import Actor


def text_in_force(kind: Kind) -> str:
    """Return the text in force; "" if there is none, because the configured file is unreadable."""
    try:
        return body_in_force(kind)
    except DocumentError:
        return ""


def done(operation: Operation, version: DocumentVersion) -> Done:
    """Return the result of a new version: what comes next, and how many warnings there are."""
    sentence = gettext("{version} is in force. No target has it before it is pushed.")
    said = [sentence.format(version=version)]
    warnings = len(problems_of(version.kind, version.body))
    if warnings:
        said.append(gettext("Warnings: {count}, see below.").format(count=warnings))
    row = operation.model_admin.model._default_manager.get(pk=version.pk)
    return Done(" ".join(said), row)


class TakeFile(OnVersion):
    """Put the configured file in force."""

    slug = "take-file"
    label = gettext_noop("Take the configured file")
    permission = "add"
    is_for_list = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add a diff of what would change."""
        kind = kind_of(self)
        try:
            file = body_of_file(kind)
        except DocumentError:
            return super().get_context_data(**kwargs)
        changes = difference(
            text_in_force(kind), file, gettext("in force"), gettext("the configured file")
        )
        shown = [diff_block(changes)] if changes else []
        self.result = format_html_join("", "{}", [*((one,) for one in shown)]) + problem_table(
            problems_of(kind, file), file
        )
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Say whether the file differs, and that no target gets it by itself."""
        kind = kind_of(self)
        path = file_path(kind)
        try:
            file = body_of_file(kind)
        except DocumentError as error:
            return [gettext("This cannot be done now. {why}").format(why=error)]
        version = current(kind)
        if version is None:
            sentence = gettext("{path} is in force already. It is put on record as v1.")
        elif version.body == file:
            sentence = gettext("{path} has the text of {version}. There is nothing to do.")
        else:
            sentence = gettext(
                "The text of {path} takes the place of {version}, as a version of its own. "
                "Targets get it by Push."
            )
        return [sentence.format(path=path, version=version)]

    def write(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template --from-file`` does, without the push."""
        kind = kind_of(self)
        return done(self, add_version(kind, body_of_file(kind), actor=actor, **form.cleaned_data))


def file_path(kind: Kind) -> str:
    """Return the path of the configured file."""
    chosen = iot_settings()
    return str(chosen.policy_path if kind is Kind.POLICY else chosen.template_path)


class RollBack(OnVersion):
    """Put an old version's text in force again."""

    slug = "roll-back"
    label = gettext_noop("Roll back to this version")
    permission = "add"

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """Only an earlier version of the configured name can come back."""
        version = current(row.kind)
        if version is None or version.name != row.name:
            why = gettext("{row} is of a name that the configuration does not use any more.")
        elif version.pk == row.pk:
            why = gettext("{row} is in force.")
        elif version.body == row.body:
            why = gettext("{version}, which is in force, has the text of {row}.")
        else:
            return ""
        return why.format(row=row, version=version)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add a diff of what would change."""
        changes = difference(
            text_in_force(kind_of(self)), self.row.body, gettext("in force"), str(self.row)
        )
        self.result = diff_block(changes)
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Say which number the text gets."""
        version = current(self.row.kind)
        assert version is not None  # noqa: S101  # obstacle() checks it
        sentence = gettext(
            "The text of {row} takes the place of {version}, as v{number}. Targets get it by Push."
        )
        return [sentence.format(row=self.row, version=version, number=version.number + 1)]

    def write(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Check the old text like a new one, because profiles may have changed since."""
        row: DocumentVersion = self.row
        return done(self, roll_back(row.kind, row.number, actor=actor, **form.cleaned_data))
