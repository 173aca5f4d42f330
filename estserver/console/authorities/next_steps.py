"""What remains to be done with a CA that is new on record: read from the record each time.

Its page shows it, and ``cas create`` and ``cas import`` print it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from estserver.console.authorities.ca_roll import (
    RollStep,
    StepState,
    registration_step,
    truststore_step,
)
from pki.admin import CertificateAuthorityAdmin
from pki.admin.display import list_of, visible
from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA

Status = CertificateAuthority.Status


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing that a person has to do before a CA is of use."""

    said: str
    url: str
    command: str


def next_steps(ca: CertificateAuthority) -> list[NextStep]:
    """Return what has to be done with ``ca``; nothing for one that does not issue any more."""
    if ca.status != Status.ACTIVE:
        return []
    in_force = list(CertificateProfile.objects.exclude(active_label=None).order_by("name"))
    is_device = ca.purpose == ca.Purpose.DEVICE
    steps = list((_of_profiles if is_device else _of_acceptance)(ca, in_force))
    if is_device:
        steps += _open(registration_step(ca, back_to=None))
    return steps + _open(truststore_step(ca))


def _of_profiles(ca: CertificateAuthority, in_force: list[Any]) -> Iterator[NextStep]:
    if any(profile.ca_id == ca.pk for profile in in_force):
        return
    yield NextStep(
        f"No profile issues from {ca.name}. Add one, or change one.",
        list_of(CertificateProfile),
        f"manage.py profiles add NAME ca={ca.name} label=LABEL",
    )


def _of_acceptance(ca: CertificateAuthority, in_force: list[Any]) -> Iterator[NextStep]:
    if any({ca.name, EVERY_CLIENT_CA} & {*profile.client_cas} for profile in in_force):
        return
    for profile in in_force[:1]:
        named = ",".join([*profile.client_cas, ca.name])
        yield NextStep(
            f"No profile accepts the clients of {ca.name}. Add it to the client CAs of one.",
            list_of(CertificateProfile),
            f"manage.py profile_set {profile.name} client_cas={named} --reason ...",
        )


def _open(step: RollStep) -> list[NextStep]:
    return [NextStep(step.said, step.url, step.command)] if step.state is StepState.NEXT else []


@admin.display(description=gettext_lazy("what to do next"))
def next_steps_shown(ca: CertificateAuthority) -> SafeString | str:
    """Show the steps, each with the page and the command that do it."""
    steps = next_steps(ca)
    if not steps:
        return "Nothing: it is in use." if ca.status == Status.ACTIVE else "Nothing."
    return format_html(
        '<ul class="next-steps">{}</ul>',
        format_html_join(
            "",
            '<li>{} <a href="{}">{}</a><br><code>{}</code></li>',
            ((visible(step.said), step.url, "Go there", visible(step.command)) for step in steps),
        ),
    )


CertificateAuthorityAdmin.extend(second=((gettext_noop("Next"), (next_steps_shown,)),))
