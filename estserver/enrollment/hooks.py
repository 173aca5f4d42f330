"""Hooks: an installation's own code before and after each enrollment.

``enrollmentHookClass`` in the configuration names a class such as::

    class OurHooks(EnrollmentHook):
        def pre_enroll(self, request):
            if not our_inventory.knows(request.common_name):
                raise HookRefused("This device is not in the inventory.")

The CDK sample gave the four methods their names. Installations import these classes from
`estserver.hooks`.
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
    """A refusal by a ``pre_`` hook. Its sentence is sent to the device."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.HOOK_REFUSED, message)


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a hook learns of a request: the same before and after, and at each repetition."""

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
    """Do nothing. A subclass overrides the methods that it needs.

    A ``pre_`` hook refuses by raising ``HookRefused``. For any other error of it the device gets a
    503, and nothing is issued. It may run more than once for one certificate.

    A ``post_`` hook runs when the certificate is on record, and cannot take it back. When it fails,
    the device gets its certificate all the same, and the hook runs again later (``manage.py
    run_pending_hooks``), so it must bear repetition.
    """

    def pre_enroll(self, request: HookRequest) -> None:
        """Run before a first certificate."""

    def post_enroll(self, request: HookRequest, certificate: IssuedCertificate) -> None:
        """Run after a first certificate."""

    def pre_reenroll(self, request: HookRequest) -> None:
        """Run before a renewal."""

    def post_reenroll(self, request: HookRequest, certificate: IssuedCertificate) -> None:
        """Run after a renewal."""


@cache
def load_hook(path: str) -> EnrollmentHook:
    """Return an instance of the class at ``path``, or of ``EnrollmentHook`` itself for "".

    Raises ``OperatorError`` when it cannot be imported or is not an ``EnrollmentHook``.
    """
    if not path:
        return EnrollmentHook()
    try:
        hook_class = import_string(path)
    except ImportError as error:
        raise OperatorError(f"enrollmentHookClass: {path} cannot be imported: {error}.") from error
    if not (isinstance(hook_class, type) and issubclass(hook_class, EnrollmentHook)):
        raise OperatorError(
            f"enrollmentHookClass: {path} is not a subclass of estserver.hooks.EnrollmentHook."
        )
    return hook_class()


def installed_hook() -> EnrollmentHook:
    """Return the installation's hook."""
    return load_hook(settings.EST_ENROLLMENT_HOOK_CLASS)


def has_pre_hook(hook: EnrollmentHook, operation: str) -> bool:
    """Return whether ``hook`` overrides what runs before ``operation`` (enroll, reenroll)."""
    return _overrides(hook, f"pre_{operation}")


def has_post_hook(hook: EnrollmentHook, operation: str) -> bool:
    """Return whether ``hook`` overrides what runs after ``operation`` (enroll, reenroll)."""
    return _overrides(hook, f"post_{operation}")


def _overrides(hook: EnrollmentHook, name: str) -> bool:
    return getattr(type(hook), name) is not getattr(EnrollmentHook, name)
