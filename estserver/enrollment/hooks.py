"""Hooks: an installation's own word before and after each enrollment.

``enrollmentHookClass`` in the configuration names a class such as::

    class OurHooks(EnrollmentHook):
        def pre_enroll(self, request):
            if not our_inventory.knows(request.common_name):
                raise HookRefused("this device isn't in the inventory")

The four names are the CDK sample's.
"""

from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from pki.exceptions import EnrollmentRefused
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from pki.reasons import Reason


class HookRefused(EnrollmentRefused):
    """Raised by a ``pre_`` hook; its sentence goes to the device."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.HOOK_REFUSED, message)


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a hook may know about a request. The same before and after, and at each repetition."""

    common_name: str
    device_serial: str
    csr_der: bytes
    label: str
    client_fingerprint: str
    client_subject: str
    tenant_id: str
    source_ip: str | None
    request_id: str


class EnrollmentHook:
    """Does nothing; override what you need.

    A ``pre_`` hook refuses by raising ``HookRefused``; anything else it raises answers 503, and
    nothing is issued. It may run more than once for one certificate. A ``post_`` hook runs after
    the certificate is on record and can't take it back: when it fails, the device gets its
    certificate all the same, and the hook runs again later (``manage.py run_pending_hooks``), so
    it must bear repetition.
    """

    def pre_enroll(self, request: HookRequest) -> None:
        """Before a first certificate."""

    def post_enroll(self, request: HookRequest, certificate: IssuedCertificate) -> None:
        """After a first certificate."""

    def pre_reenroll(self, request: HookRequest) -> None:
        """Before a renewal."""

    def post_reenroll(self, request: HookRequest, certificate: IssuedCertificate) -> None:
        """After a renewal."""


@cache
def load_hook(path: str) -> EnrollmentHook:
    """An instance of the class at ``path``; of ``EnrollmentHook`` itself for "".

    Raises ``OperatorError`` when it can't be imported or isn't an ``EnrollmentHook``.
    """
    if not path:
        return EnrollmentHook()
    try:
        hook_class = import_string(path)
    except ImportError as error:
        raise OperatorError(f"enrollmentHookClass: can't import {path}: {error}") from error
    if not (isinstance(hook_class, type) and issubclass(hook_class, EnrollmentHook)):
        raise OperatorError(
            f"enrollmentHookClass: {path} isn't a subclass of estserver.hooks.EnrollmentHook"
        )
    return hook_class()


def installed_hook() -> EnrollmentHook:
    """The installation's hook."""
    return load_hook(settings.EST_HOOK_CLASS)


def has_post_hook(hook: EnrollmentHook, operation: str) -> bool:
    """Whether ``hook`` wants to hear of an ``operation`` (enroll, reenroll) that is over."""
    name = f"post_{operation}"
    return getattr(type(hook), name) is not getattr(EnrollmentHook, name)
