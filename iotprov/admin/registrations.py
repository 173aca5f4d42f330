"""Device CAs in AWS IoT: what each target knows of them, and registering them."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from iotprov.admin.targets import TargetForm, while_there_is_time
from iotprov.authorities.ca_registration import plan_registration, register_ca
from iotprov.conf import IoTTarget, find_target, iot_settings
from iotprov.models import CARegistration
from pki.admin import CertificateAuthorityAdmin, Done, FactAdmin, Operation, Question
from pki.admin.display import EMPTY, chip, code, flag, link, minute, moment, table, visible, words
from pki.admin.search import Term
from pki.exceptions import PKIError
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

State = CARegistration.State


def status_of(row: CARegistration) -> tuple[str, str]:
    """The word for where a CA stands at a target, and the kind of chip that shows it."""
    if row.state == State.FAILED:
        return "Failed", "bad"
    if row.state == State.PENDING:
        return "Pending", "open"
    if row.status != "ACTIVE":
        return "Inactive", "past"
    return "Registered", "good"


def _status_chip(row: CARegistration) -> SafeString:
    return chip(*status_of(row))


def device_cas() -> list[CertificateAuthority]:
    """Those that devices get certificates of now."""
    return list(CertificateAuthority.objects.device().issuing())


def _register(pairs: Iterable[tuple[CertificateAuthority, IoTTarget]], actor: Actor) -> Done:
    """As ``manage.py register_ca``, for as long as a person waits."""
    pairs = list(pairs)
    told, failures = [], []
    for ca, target in while_there_is_time(pairs):
        try:
            row = register_ca(ca, target, actor=actor)
        except OperatorError as error:  # a CA that AWS IoT takes nowhere; the others go on
            failures.append(f"{ca} at {target.name}: {error}")
            continue
        except PKIError as error:  # mode DEFAULT, and the CA's key is out of reach
            failures.append(f"{ca} at {target.name}: {error.message}")
            continue
        if row.state == State.FAILED:
            failures.append(f"{row}: {row.error}")
        else:
            note = f" ({row.note})" if row.note else ""
            told.append(f"{row} is registered, {row.status}{note}.")
    failures += [
        f"{ca} at {target.name}: there was no time left, register it again"
        for ca, target in pairs[len(told) + len(failures) :]
    ]
    return Done(" ".join(told), failures=tuple(failures))


def _state_before(ca: CertificateAuthority, targets: Iterable[IoTTarget]) -> list[str]:
    rows = {row.target: row for row in CARegistration.objects.filter(ca=ca)}
    return [
        f"{ca} at {target.name}: "
        + (status_of(rows[target.name])[0].lower() if target.name in rows else "not registered yet")
        + "."
        for target in targets
    ]


_WHAT_REGISTERING_DOES = (
    "AWS IoT is told to accept certificates of these CAs. One that is there already is found by "
    "its certificate, and brought to what the configuration says; nothing is registered twice."
)


class RegisterAll(Operation):
    """Every active device CA, at every target or one."""

    slug = "register"
    label = "Register"
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """Which, and how they stand."""
        cas = device_cas()
        if not cas:
            return ["There is no active device CA: run `manage.py bootstrap_cas` first."]
        targets = iot_settings().targets
        return [
            _WHAT_REGISTERING_DOES,
            *(line for ca in cas for line in _state_before(ca, targets)),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """One service call each."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        cas = device_cas()
        if not cas:
            raise OperatorError("there is no active device CA to register: run bootstrap_cas first")
        return _register(((ca, target) for ca in cas for target in form.targets), actor)


class Compare(Question):
    """Ask AWS what it holds."""

    slug = "compare"
    label = "Compare with AWS"
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """That it asks, and changes nothing."""
        return [
            "AWS is asked what each target holds of the active device CAs, and shown is what "
            "“Register” would do there. Nothing changes."
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """As ``manage.py register_ca --dry-run``."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        pairs = [(ca, target) for ca in device_cas() for target in form.targets]
        lines = [_plan(ca, target) for ca, target in while_there_is_time(pairs)]
        lines += ["there was no time left, ask again"] * (len(pairs) - len(lines))
        return table(
            ("CA", "Target", "What there is to do"),
            (
                (visible(str(ca)), target.name, line)
                for (ca, target), line in zip(pairs, lines, strict=True)
            ),
        )


def _plan(ca: CertificateAuthority, target: IoTTarget) -> SafeString | str:
    try:
        return visible(str(plan_registration(ca, target)))
    except OperatorError as error:
        return format_html("{} {}", chip("Failed", "bad"), visible(str(error)))


class NothingAsked(forms.Form):
    """Nothing is asked."""


class RegisterAgain(Operation):
    """The row's CA at the row's target."""

    slug = "register-again"
    label = "Register again"
    form_class = NothingAsked

    @classmethod
    def obstacle(cls, row: CARegistration) -> str:
        """The configuration has to know the target."""
        if find_target(row.target) is None:
            return f"The configuration has no target {row.target} any more."
        return ""

    def effects(self) -> list[str]:
        """What it does."""
        return [_WHAT_REGISTERING_DOES]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """That one."""
        row: CARegistration = self.row
        target = find_target(row.target)
        assert target is not None  # noqa: S101  # obstacle() saw to it
        done = _register([(row.ca, target)], actor)
        return Done(done.sentence, row, done.failures)


class RegisterCA(Operation):
    """On the page of a CA: this one, at every target or one."""

    slug = "register"
    label = "Register in AWS IoT"
    form_class = TargetForm

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: Any) -> bool:
        """The permission is that of registered CAs."""
        return request.user.has_perm("iotprov.change_caregistration")

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Devices connect with certificates of device CAs."""
        if row.purpose != CertificateAuthority.Purpose.DEVICE:
            return f"{row} is a client CA: AWS IoT has no use for it."
        return ""

    def effects(self) -> list[str]:
        """How it stands."""
        return [_WHAT_REGISTERING_DOES, *_state_before(self.row, iot_settings().targets)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """One service call a target."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        done = _register(((self.row, target) for target in form.targets), actor)
        return Done(done.sentence, self.row, done.failures)


@admin.display(description="registered at")
def registrations_of(ca: CertificateAuthority) -> str:
    """On the page of a CA: each target, with the state there."""
    rows = CARegistration.objects.filter(ca=ca).select_related("ca")
    lines = ((_status_chip(row), link(row, row.target)) for row in rows)
    return format_html_join(", ", "{} {}", lines) or EMPTY


CertificateAuthorityAdmin.extend(
    operations=(RegisterCA,), groups=(("AWS IoT", (registrations_of,)),)
)


@admin.register(CARegistration)
class CARegistrationAdmin(FactAdmin):
    """One row a CA and target."""

    list_display = (
        "state_chip",
        words("ca", "CA"),
        "target",
        "status",
        words("error", "last error"),
        minute("checked_at", "looked at"),
    )
    list_display_links = (list_display[1],)
    list_filter = ("state",)
    list_select_related = ("ca",)
    search_fields = ("certificate_id",)
    search_help_text = "The beginning of a CA's name or of a target's, or a CA certificate ID"
    empty_words = (
        "AWS IoT knows none of your CAs yet, so it refuses every device. “Register” above does "
        "what `manage.py register_ca` does; run sync_policy and sync_template first."
    )
    operations = (RegisterAll, Compare, RegisterAgain)
    groups = (
        (None, ("state_chip", "ca_link", "target", words("error"), words("note"))),
        (
            "In AWS IoT, as we saw it last",
            (
                code("certificate_id", "CA certificate ID"),
                words("arn", "ARN"),
                "status",
                "mode",
                flag("is_auto_registration_on", "auto registration"),
                words("template_name", "JITP template"),
                moment("checked_at", "looked at"),
            ),
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """There are few rows."""
        term = Term.parse(search_term)
        if not term.text:
            return queryset, False
        return queryset.filter(
            Q(ca__name__istartswith=term.text)
            | Q(target__istartswith=term.text)
            | Q(certificate_id=term.sha256 or term.text)
        ), False

    def summary(self, request: HttpRequest) -> SafeString | str:
        """What is missing: CAs that sign, and targets that don't know them."""
        known = set(CARegistration.objects.values_list("ca_id", "target"))
        missing = [
            (visible(str(ca)), target.name)
            for ca in device_cas()
            for target in iot_settings().targets
            if (ca.pk, target.name) not in known
        ]
        if not missing:
            return ""
        return format_html(
            "<p>{} {}</p>",
            chip("Not registered", "soon"),
            format_html_join(", ", "{} at {}", missing),
        )

    def audit_term(self, row: CARegistration) -> str:
        """The CA's name."""
        return f"ca:{row.ca.name}"

    @admin.display(description="state", ordering="state")
    def state_chip(self, row: CARegistration) -> SafeString:
        """A chip."""
        return _status_chip(row)

    @admin.display(description="CA")
    def ca_link(self, row: CARegistration) -> str:
        """The CA's own page."""
        return link(row.ca)
