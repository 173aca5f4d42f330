"""Operations on the registrations of device CAs in AWS IoT: register, compare."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.targets import TargetForm, while_there_is_time
from iotprov.authorities.ca_registration import plan_registration, register_ca
from iotprov.conf import IoTTarget, find_target, iot_settings
from iotprov.models import CARegistration
from pki.admin import Done, EmptyForm, Operation, Question
from pki.admin.display import chip, table, visible
from pki.exceptions import PKIError
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

State = CARegistration.State


def status_of(row: CARegistration) -> tuple[str, str]:
    """Return the word for a CA's state at a target, and the kind of chip that shows it."""
    if row.state == State.FAILED:
        return "Failed", "bad"
    if row.state == State.PENDING:
        return "Pending", "open"
    if row.status != "ACTIVE":
        return "Inactive", "past"
    return "Registered", "good"


def device_cas() -> list[CertificateAuthority]:
    """Return the CAs that issue certificates to devices now."""
    return list(CertificateAuthority.objects.device().issuing())


def _register(pairs: Iterable[tuple[CertificateAuthority, IoTTarget]], actor: Actor) -> Done:
    """Do what ``manage.py register_ca`` does, as long as an operator waits for a page."""
    pairs = list(pairs)
    registered, failures = [], []
    for ca, target in while_there_is_time(pairs):
        try:
            row = register_ca(ca, target, actor=actor)
        except OperatorError as error:  # AWS IoT refuses this CA; the others go on
            failures.append(f"{ca} at {target.name}: {error}")
            continue
        except (
            PKIError
        ) as error:  # mode DEFAULT needs a signature, and the CA's key is out of reach
            failures.append(f"{ca} at {target.name}: {error.message}")
            continue
        if row.state == State.FAILED:
            failures.append(f"{row}: {row.error}")
        else:
            said = gettext("{row} is registered, {status}.").format(row=row, status=row.status)
            registered.append(" ".join(filter(None, (said, row.note))))
    failures += [
        gettext("{ca} at {name}: There was no time left. Register it again.").format(
            ca=ca, name=target.name
        )
        for ca, target in pairs[len(registered) + len(failures) :]
    ]
    return Done(" ".join(registered), failures=tuple(failures))


def _state_before(ca: CertificateAuthority, targets: Iterable[IoTTarget]) -> list[str]:
    rows = {row.target: row for row in CARegistration.objects.filter(ca=ca)}
    states = {name: gettext(status_of(row)[0]).lower() for name, row in rows.items()}
    missing = gettext("not registered yet")
    return [f"{ca} at {one.name}: {states.get(one.name, missing)}." for one in targets]


_WHAT_REGISTERING_DOES = gettext_noop(
    "AWS IoT is asked to accept certificates of these CAs. A CA that is registered already "
    "is found by its certificate, and gets the settings of the configuration. Nothing is "
    "registered twice."
)


class RegisterAll(Operation):
    """Register every active device CA, at every target or one."""

    slug = "register"
    label = gettext_noop("Register")
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """Say which CAs are registered, and the state of each."""
        cas = device_cas()
        if not cas:
            return [gettext("There is no active device CA. Run `manage.py bootstrap_cas` first.")]
        targets = iot_settings().targets
        return [
            gettext(_WHAT_REGISTERING_DOES),
            *(line for ca in cas for line in _state_before(ca, targets)),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Register one by one."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        cas = device_cas()
        if not cas:
            raise OperatorError(
                gettext("There is no active device CA to register. Run bootstrap_cas first.")
            )
        return _register(((ca, target) for ca in cas for target in form.targets), actor)


class Compare(Question):
    """Compare what AWS has with the active device CAs."""

    slug = "compare"
    label = gettext_noop("Compare with AWS")
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """Say that AWS is asked, and that nothing changes."""
        return [
            gettext(
                "AWS is asked which of the active device CAs each target has. The answer shows "
                "what “Register” would do there. Nothing changes."
            )
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Do what ``manage.py register_ca --dry-run`` does."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        pairs = [(ca, target) for ca in device_cas() for target in form.targets]
        lines = [_plan(ca, target) for ca, target in while_there_is_time(pairs)]
        lines += [gettext("There was no time left. Ask again.")] * (len(pairs) - len(lines))
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


class RegisterAgain(Operation):
    """Register the row's CA at the row's target."""

    slug = "register-again"
    label = gettext_noop("Register again")
    form_class = EmptyForm

    @classmethod
    def obstacle(cls, row: CARegistration) -> str:
        """Only a configured target can get a CA."""
        if find_target(row.target) is None:
            return gettext("The configuration has no target {target} any more.").format(
                target=row.target
            )
        return ""

    def effects(self) -> list[str]:
        """Say what registering does."""
        return [gettext(_WHAT_REGISTERING_DOES)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Register the one CA at the one target."""
        row: CARegistration = self.row
        target = find_target(row.target)
        assert target is not None  # noqa: S101  # obstacle() checks it
        done = _register([(row.ca, target)], actor)
        return Done(done.sentence, row, done.failures)


class RegisterCA(Operation):
    """Register a CA from its own page, at every target or one."""

    slug = "register"
    label = gettext_noop("Register in AWS IoT")
    form_class = TargetForm

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: Any) -> bool:
        """Ask for the permission on registrations, not for the one on CAs."""
        return request.user.has_perm("iotprov.change_caregistration")

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Only a device CA can be registered, because devices connect with its certificates."""
        if row.purpose != CertificateAuthority.Purpose.DEVICE:
            return gettext("{row} is a client CA. AWS IoT needs device CAs only.").format(row=row)
        return ""

    def effects(self) -> list[str]:
        """Say the state at each target."""
        return [gettext(_WHAT_REGISTERING_DOES), *_state_before(self.row, iot_settings().targets)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Register at one target after the other."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        done = _register(((self.row, target) for target in form.targets), actor)
        return Done(done.sentence, self.row, done.failures)
