"""Operations on the truststore of API Gateway: compare it, push it, go back to a version.

What is deployed is imported where it is needed: the web admin starts without it.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from estserver.models import TruststorePush
from pki.admin import Done, EmptyForm, Operation, Question, ReasonForm
from pki.admin.display import chip, table, visible
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

_LIVE_ARE_CHECKED = gettext_noop(
    "If a CA goes that clients still need, nothing is changed, and the job names these "
    "clients. With the tick they are turned away."
)

_NO_TRUSTSTORE = gettext_noop(
    "This installation has no domain in API Gateway (apiCustomDomainName), so there is no "
    "truststore there. The server reads the CAs that it trusts from the record itself."
)


def has_truststore() -> bool:
    """Return whether API Gateway has a truststore in this installation."""
    return bool(settings.CONFIG.properties.api_custom_domain_name)


def _no_truststore() -> str:
    return "" if has_truststore() else gettext(_NO_TRUSTSTORE)


class _OfGateway:
    """What is offered only where API Gateway has a truststore."""

    @classmethod
    def is_offered(cls) -> bool:
        """Return whether there is a truststore."""
        return has_truststore()

    def list_obstacle(self) -> str:
        """Say that there is no truststore."""
        return _no_truststore()


class TruststoreForm(ReasonForm):
    """The reason, and the words that a person has to give."""

    is_removal_meant = forms.BooleanField(
        label="Turn clients away whose CA is removed", required=False
    )
    is_here = forms.BooleanField(
        label="This server's database is that of the deployment",
        help_text=(
            gettext_noop(
                "A machine that deploys may have CAs of its own, which must not get into API "
                "Gateway. There, use manage.py aws_truststore, which works in the admin's "
                "function."
            )
        ),
    )
    field_order = ("reason", "is_removal_meant", "is_here")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.IS_LAMBDA:  # the database at hand is the deployment's
            del self.fields["is_here"]


class Push(_OfGateway, Operation):
    """Push the CAs on record, and let the domain trust them."""

    slug = "push"
    label = gettext_noop("Push the CAs on record")
    is_for_list = True
    is_dangerous = True
    asks_again = True
    form_class = TruststoreForm

    def effects(self) -> list[str]:
        """Say what is pushed, and what the job checks first."""
        from estserver.deploy.truststore.pushes import wanted_bundle

        try:
            count = len(wanted_bundle().certificates)
        except OperatorError as error:
            return [f"This cannot be done now. {error}"]
        return [
            gettext(
                "A job puts the {count} CA certificates on record into S3 as a new version, "
                "and lets the domain trust it. That may take minutes."
            ).format(count=count),
            gettext(_LIVE_ARE_CHECKED),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py aws_truststore --push`` does, as a job."""
        from estserver.deploy.truststore.pushing_job import start_push

        asked = form.cleaned_data
        job = start_push(
            reason=asked["reason"], actor=actor, is_removal_meant=asked["is_removal_meant"]
        )
        return Done(gettext("A job pushes the truststore. It begins within a minute."), job)


class RollBack(_OfGateway, Operation):
    """Let the domain trust an earlier version again."""

    slug = "roll-back"
    label = gettext_noop("Go back to this version")
    is_dangerous = True
    asks_again = True
    form_class = TruststoreForm

    @classmethod
    def obstacle(cls, row: Any) -> str:
        """Only a version that the domain does not trust by the record can be gone back to."""
        return _no_truststore() or (
            gettext("The domain trusts {row} already, by the record.").format(row=row)
            if row.is_active
            else ""
        )

    def effects(self) -> list[str]:
        """Say what the domain trusts then."""
        row: TruststorePush = self.row
        return [
            gettext(
                "A job lets {domain} trust the {certificate_count} CA certificates that were "
                "pushed at {pushed_at:%Y-%m-%d %H:%M} UTC ({reason}). The version in S3 must "
                "still be as it was pushed."
            ).format(
                domain=row.domain,
                certificate_count=row.certificate_count,
                pushed_at=row.pushed_at,
                reason=row.reason,
            ),
            gettext(_LIVE_ARE_CHECKED),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py aws_truststore --to VERSION`` does, as a job."""
        from estserver.deploy.truststore.pushing_job import start_push

        asked = form.cleaned_data
        job = start_push(
            reason=asked["reason"],
            actor=actor,
            version=self.row.version_id,
            is_removal_meant=asked["is_removal_meant"],
        )
        return Done(gettext("A job goes back to the version. It begins within a minute."), job)


class CompareWithGateway(_OfGateway, Question):
    """Show what a push would change, and what API Gateway warns of."""

    slug = "compare"
    label = gettext_noop("Compare with API Gateway")
    is_for_list = True
    form_class = EmptyForm

    def effects(self) -> list[str]:
        """Say that AWS is asked, and that nothing changes."""
        return [gettext("AWS is asked which CAs the domain trusts. Nothing changes.")]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return each CA with what a push would do to it, and the warnings."""
        from estserver.deploy.deployment import current_deployment
        from estserver.deploy.truststore.bundle import describe
        from estserver.deploy.truststore.comparison import compare_with_gateway

        found = compare_with_gateway(current_deployment())
        sentences = [
            *(
                gettext("These would be turned away: {each}.").format(each=each)
                for each in found.lost
            ),
            *found.now.warnings,
        ]
        rows = [
            (chip(word, kind), visible(describe(certificate)))
            for word, kind, certificates in (
                ("A push adds it", "open", found.difference.added),
                ("A push removes it", "bad", found.difference.removed),
                ("Stays", "good", found.difference.kept),
            )
            for certificate in certificates
        ]
        return format_html(
            "<p>{}</p>{}<ul>{}</ul>",
            f"The domain trusts version {found.now.version or 'none'}.",
            table(("difference", "CA"), rows),
            format_html_join("", "<li>{}</li>", ((visible(one),) for one in sentences)),
        )
