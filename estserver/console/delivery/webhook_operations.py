"""Operations on webhooks and messages."""

from abc import ABC, abstractmethod
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_noop

from estserver.console.rendering import render_page
from estserver.models import Message, Webhook
from estserver.webhooks.events import MEANINGS
from estserver.webhooks.messages import RETRIED_FOR
from estserver.webhooks.post import LONGEST_URL, check_url, origin
from estserver.webhooks.subscriptions import (
    BOTH_SECRETS_FOR,
    add_webhook,
    end_webhook,
    redeliver,
    rotate_secret,
    test_webhook,
)
from pki.admin import Done, EmptyForm, Operation
from pki.admin.display import link, visible
from pki.admin.operations import ReasonForm, admin_actor, with_refusal
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


class WebhookForm(ReasonForm):
    """Name, address and events of a new webhook."""

    name = forms.CharField(
        max_length=80, help_text=gettext_noop("A short name, by which people know it.")
    )
    url = forms.CharField(
        label="URL",
        max_length=LONGEST_URL,
        help_text="https://host/path. The host has to have public addresses, or to be listed in "
        "webhookAllowedHosts. Only scheme and host are shown later.",
    )
    events = forms.MultipleChoiceField(
        choices=[(event.value, f"{event.value}: {said}") for event, said in MEANINGS.items()],
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("name", "url", "events", "reason")

    def clean_url(self) -> str:
        """Refuse an address that no webhook can have."""
        url: str = self.cleaned_data["url"]
        try:
            check_url(url)
        except OperatorError as error:
            raise forms.ValidationError(str(error)) from error
        return url


class _ShowsSecret(Operation, ABC):
    """An operation whose answer has a secret, which no later page has."""

    @abstractmethod
    def secret(self, form: forms.BaseForm, actor: Actor) -> tuple[Webhook, str]:
        """Call the service. Raises ``OperatorError`` or ``PKIError``."""

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Show the secret, or why the service refuses."""
        try:
            webhook, secret = self.secret(form, admin_actor(self.request))
        except (OperatorError, PKIError) as error:
            return self.form_invalid(with_refusal(form, error))
        content = format_html(
            "<p>This secret is shown now and never again. Give it to the receiver, whose library "
            "for Standard Webhooks takes it as it is.</p><p><code>{}</code></p><p>{}</p>",
            secret,
            link(webhook, f"The webhook {visible(webhook.name)}"),
        )
        context = {"title": "The webhook's secret", "content": content}
        return render_page(self.request, "admin/console/page.html", context)


class AddWebhook(_ShowsSecret):
    """Tell an address of events from now on."""

    slug = "add"
    label = "Add a webhook"
    permission = "add"
    is_for_list = True
    form_class = WebhookForm

    def effects(self) -> list[str]:
        """Say what is told, and how it is proved."""
        return [
            gettext(
                "The address gets each chosen event that happens from now on, as a POST that "
                "is signed with a secret. The secret is shown once."
            )
        ]

    def secret(self, form: forms.BaseForm, actor: Actor) -> tuple[Webhook, str]:
        """Do what ``manage.py webhooks add`` does."""
        given: dict[str, Any] = form.cleaned_data
        return add_webhook(
            given["name"], given["url"], given["events"], reason=given["reason"], actor=actor
        )


class _OfActive(Operation):
    @classmethod
    def obstacle(cls, row: Any) -> str:
        """Return that an ended webhook does nothing any more."""
        if row.ended_at is None:
            return ""
        return gettext("The webhook {name} was ended.").format(name=visible(row.name))


class RotateSecret(_OfActive, _ShowsSecret):
    """Give a webhook a new secret."""

    slug = "rotate"
    label = "Change the secret"

    def effects(self) -> list[str]:
        """Say how long the earlier secret holds."""
        hours = BOTH_SECRETS_FOR.total_seconds() // 3600
        return [
            gettext(
                "A new secret is made, and shown once. Every message is signed with the "
                "earlier one too for {hours:.0f} hours, so that the receiver has time."
            ).format(hours=hours)
        ]

    def secret(self, form: forms.BaseForm, actor: Actor) -> tuple[Webhook, str]:
        """Do what ``manage.py webhooks rotate`` does."""
        reason = form.cleaned_data["reason"]
        return self.row, rotate_secret(self.row, reason=reason, actor=actor)


class TestWebhook(_OfActive):
    """Send a test event."""

    __test__ = False  # no test of pytest's
    slug = "test"
    label = "Send a test"
    form_class = EmptyForm

    def effects(self) -> list[str]:
        """Say what is sent."""
        return [
            gettext("{origin} gets an event webhook.test now.").format(origin=origin(self.row.url))
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py webhooks test`` does."""
        failure = test_webhook(self.row, actor=actor)
        if failure:
            raise OperatorError(f"The test was not taken: {failure}")
        return Done(gettext("The test was taken."), self.row)


class EndWebhook(_OfActive):
    """Tell a webhook nothing more."""

    slug = "end"
    label = "End"
    is_dangerous = True

    def effects(self) -> list[str]:
        """Say what becomes of what waits."""
        waiting = Message.objects.filter(webhook=self.row, state=Message.State.WAITING).count()
        return [
            gettext(
                "{name} is told nothing more, and {waiting} messages that wait are dropped. "
                "The secret is forgotten. An ended webhook cannot be taken up again."
            ).format(name=self.row.name, waiting=waiting)
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py webhooks end`` does."""
        end_webhook(self.row, reason=form.cleaned_data["reason"], actor=actor)
        return Done(gettext("The webhook {name} is ended.").format(name=self.row.name), self.row)


class SendAgain(Operation):
    """Send a message again, whatever became of it."""

    slug = "again"
    label = "Send again"

    def effects(self) -> list[str]:
        """Say under which id, and for how long."""
        hours = RETRIED_FOR.total_seconds() // 3600
        return [
            gettext(
                "The message is sent again within a minute, under its own id, and is tried for "
                "{hours:.0f} hours."
            ).format(hours=hours)
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py webhooks redeliver`` does."""
        redeliver(self.row, reason=form.cleaned_data["reason"], actor=actor)
        return Done(gettext("The message is sent again."), self.row)
