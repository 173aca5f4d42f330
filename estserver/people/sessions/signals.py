"""What Django tells of accounts, so that no door to them is forgotten: pages, commands, calls.

When the password or the roles of an account change, its sessions end. Whoever has a stolen one, or
one with another role, signs in again. A single permission, which superusers give, ends none: it is
read at each request.
"""

from typing import Any, Final

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.http import HttpRequest

from estserver.models import ConsoleSession
from estserver.people.sessions.record import begin, forget_sessions

_RIGHTS: Final = ("is_active", "is_staff", "is_superuser")
_CHANGED: Final = "_rights_changed"


def connect() -> None:
    """Begin to listen. A second call changes nothing."""
    for signal, receiver, sender in (
        (user_logged_in, _signed_in, None),
        (user_logged_out, _signed_out, None),
        (pre_save, _compare, User),
        (post_save, _saved, User),
        (pre_delete, _deleted, User),
    ):
        name = f"{__name__}.{receiver.__name__}"
        signal.connect(receiver, sender=sender, dispatch_uid=name)
    m2m_changed.connect(
        _groups_changed, sender=User.groups.through, dispatch_uid=f"{__name__}._groups_changed"
    )


def _signed_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    begin(request, user)


def _signed_out(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    ConsoleSession.objects.filter(session_key=request.session.session_key).delete()


def _compare(sender: Any, instance: User, update_fields: Any, **kwargs: Any) -> None:
    # set_password() leaves the new password here until it is saved. A stronger hash does not.
    is_other = getattr(instance, "_password", None) is not None
    names = [name for name in _RIGHTS if update_fields is None or name in update_fields]
    if not is_other and names and not instance._state.adding:
        stored = User.objects.filter(pk=instance.pk).values(*names).first()
        is_other = stored is not None and stored != {
            name: getattr(instance, name) for name in names
        }
    setattr(instance, _CHANGED, is_other)


def _saved(sender: Any, instance: User, created: bool, **kwargs: Any) -> None:
    if getattr(instance, _CHANGED, False) and not created:
        forget_sessions(instance.pk)


def _deleted(sender: Any, instance: User, **kwargs: Any) -> None:
    forget_sessions(instance.pk)


def _groups_changed(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **kwargs: Any
) -> None:
    if action not in ("post_add", "post_remove", "pre_clear") or pk_set == set():
        return
    accounts = pk_set or set(instance.user_set.values_list("pk", flat=True)) if reverse else None
    for account in accounts if accounts is not None else [instance.pk]:
        forget_sessions(account)
