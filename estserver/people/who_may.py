"""Which roles may do what a person was refused, for the page that says so.

The same check is asked again for a person of each role, so it cannot differ from what is refused.
"""

import copy
from collections.abc import Callable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from estserver.people.roles import may_do_it, roles_for
from pki.operators.rights import NotAllowed

Check = Callable[[HttpRequest], bool]


class _Supposed(AnonymousUser):
    """A person who has a role's permissions (None: a superuser), and no account."""

    is_active: Any = True
    is_staff: Any = True
    is_authenticated = True  # type: ignore[assignment]  # Django's is a property
    is_anonymous = False  # type: ignore[assignment]

    def __init__(self, permissions: frozenset[str] | None) -> None:
        super().__init__()
        self.is_superuser = permissions is None  # type: ignore[assignment]
        self._permissions = permissions

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the role has the permission."""
        return self._permissions is None or perm in self._permissions

    def has_module_perms(self, module: str) -> bool:
        """Return whether the role has a permission of the application."""
        names = self._permissions or ()
        return self._permissions is None or any(one.startswith(f"{module}.") for one in names)


def who_may(request: HttpRequest, is_allowed: Check) -> str:
    """Return a sentence that says which roles ``is_allowed`` lets do what ``request`` asks."""
    names = roles_for(lambda permissions: is_allowed(_as(request, _Supposed(permissions))))
    if names:
        return may_do_it(names)
    if is_allowed(_as(request, _Supposed(None))):
        return f"{may_do_it(names)} A superuser may."
    return "Nobody may do it on this page, because such rows are changed by operations only."


def says_who_may(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return a view of a model admin whose refusal carries the check that it has failed."""
    model_admin, name = getattr(view, "__self__", None), getattr(view, "__name__", "")
    if not isinstance(model_admin, ModelAdmin) or name not in _CHECKS:
        return view

    def saying(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NotAllowed:
            raise
        except PermissionDenied as error:
            key = kwargs.get("object_id", kwargs.get("id", args[0] if args else None))
            row = None if key is None else model_admin.get_object(request, str(key))
            raise NotAllowed(lambda other: _CHECKS[name](model_admin, other, row)) from error

    return saying


def _may_add(model_admin: Any, request: HttpRequest, row: Any) -> bool:
    return bool(model_admin.has_add_permission(request))


def _may_change(model_admin: Any, request: HttpRequest, row: Any) -> bool:
    return bool(model_admin.has_change_permission(request, row))


def _may_delete(model_admin: Any, request: HttpRequest, row: Any) -> bool:
    return bool(model_admin.has_delete_permission(request, row))


def _may_see(model_admin: Any, request: HttpRequest, row: Any) -> bool:
    # Django refuses a form that was sent if the row may be seen only.
    if request.method == "POST" and row is not None:
        return _may_change(model_admin, request, row)
    return bool(model_admin.has_view_or_change_permission(request, row))


_CHECKS: dict[str, Callable[[Any, HttpRequest, Any], bool]] = {
    "changelist_view": _may_see,
    "history_view": _may_see,
    "change_view": _may_see,
    "add_view": _may_add,
    "delete_view": _may_delete,
    "user_change_password": _may_change,
}
"""What each of Django's views of a model admin asks before it answers."""


def _as(request: HttpRequest, person: _Supposed) -> HttpRequest:
    other = copy.copy(request)
    other.user = person
    return other
