"""The pages of accounts and groups: Django's own, under `account_rules` and on the audit trail.

Each page that writes runs in a transaction of the product's kind, so that what it changes and what
the audit trail says of it are committed together.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from estserver.console.people.account_facts import newest_events, open_sessions, sign_in_state
from estserver.people.accounts import rules as account_rules
from estserver.people.passwords import first_password
from pki.admin.display import EMPTY, list_of, minute, visible
from pki.admin.operations import ModelAdmin, admin_actor
from pki.exceptions import Busy
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from pki.operators.rights import NotAllowed
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction

T = TypeVar("T")


def in_one_transaction(request: HttpRequest, view: Callable[[], T]) -> T:
    """Return what ``view`` returns. What it writes is committed all together, or not at all.

    Raises the database's error when it takes nothing back, as Django's pages do
    (`estserver.console.conflicts`).
    """
    if request.method != "POST":
        return view()
    try:
        return in_write_transaction(view)
    except (Busy, OperatorError) as error:
        refused = error.__cause__
        if not isinstance(refused, Error):
            raise
        raise refused from refused.__cause__


def record_account(action: str, request: HttpRequest, account: Any) -> None:
    """Record what the person of ``request`` did to an account, in the caller's transaction."""
    _record(action, request, f"account:{account}")


def _record(action: str, request: HttpRequest, target: str, **facts: Any) -> None:
    audit_trail.record(action, actor=admin_actor(request), target=target, **facts)


_WORDS = {
    "add": "A new {}",
    "change": "A change of this {}",
    "delete": "The end of this {}",
    "password_change": "Another password of this {}",
}
"""What a person is about to do on a page."""


class _Recorded(ModelAdmin):
    """Pages whose changes are on the audit trail, with the facts before and after."""

    noun: ClassVar[str]
    facts: "ClassVar[staticmethod[[Any], dict[str, Any]]]"
    """Returns what the audit trail says of a row."""
    asks_again: ClassVar[frozenset[str]] = frozenset({"add", "change", "delete"})
    """The pages for which the person has to give their password again (threat T65)."""
    actions = None  # accounts are deleted one by one, on a page that says what goes with them

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form, or take it."""
        page = "add" if object_id is None else "change"
        return self._asked(request, page, object_id) or in_one_transaction(
            request,
            lambda: self._changeform_view(  # type: ignore[attr-defined]  # Django's, without stubs
                request, object_id, form_url, extra_context
            ),
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Ask, or delete."""
        return self._asked(request, "delete", object_id) or in_one_transaction(
            request,
            lambda: self._delete_view(  # type: ignore[attr-defined]
                request, object_id, extra_context
            ),
        )

    def _asked(self, request: HttpRequest, page: str, key: str | None) -> HttpResponse | None:
        """Return what asks for the password again; None for a page that may go on.

        It is asked before the page's transaction, because guesses are counted whatever becomes of
        the page. Who may not do it is refused by the page itself. An account can be looked at
        without the password. The other pages ask when they are opened, because what is typed there
        may be a secret, which is not kept.
        """
        if page not in self.asks_again or (page == "change" and request.method != "POST"):
            return None
        if key is None:
            may = self.has_add_permission(request)
        else:
            row = self.get_object(request, unquote(key))
            has = self.has_delete_permission if page == "delete" else self.has_change_permission
            may = row is not None and has(request, row)
        if not may:
            return None
        site: Any = self.admin_site
        asked: HttpResponse | None = site.ask_again(request, _WORDS[page].format(self.noun))
        return asked

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save groups and permissions, after the row itself, and record what changed."""
        super().save_related(request, form, formsets, change)
        before = getattr(request, "_facts_before", None)
        action = f"{self.noun}-change" if change else f"{self.noun}-add"
        self.record(request, action, form.instance, before=before, after=self.facts(form.instance))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the row. The facts before are those of the database, which the form has not yet."""
        if change:
            stored = self.model._default_manager.get(pk=obj.pk)
            request._facts_before = self.facts(stored)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Redirect to the audit trail. Django's own history has nothing that a command did."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise NotAllowed(self.has_view_permission)
        if row is None:
            raise Http404
        return redirect(list_of(AuditEvent, q=f"{self.noun}:{row}"))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row, and record what it was."""
        self.record(request, f"{self.noun}-delete", obj, before=self.facts(obj))
        super().delete_model(request, obj)

    def record(self, request: HttpRequest, action: str, row: Any, **facts: Any) -> None:
        """Add a row to the audit trail, in the page's transaction."""
        _record(action, request, f"{self.noun}:{row}", **facts)


class AccountAdmin(_Recorded, UserAdmin):  # type: ignore[type-arg]
    """The pages of the people who use the console."""

    noun = "account"
    facts = staticmethod(account_rules.account_facts)
    asks_again = frozenset({"add", "change", "delete", "password_change"})
    list_display = (
        "username",
        "roles",
        "is_active",
        "is_staff",
        "is_superuser",
        minute("last_login", "last sign-in"),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the groups of all accounts by one statement."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=gettext_lazy("roles and groups"))
    def roles(self, account: User) -> str:
        """Show what gives the person rights."""
        return visible(", ".join(sorted(group.name for group in account.groups.all()))) or EMPTY

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may change this account."""
        return super().has_change_permission(request, obj) and account_rules.may_change_account(
            request.user, obj
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may delete this account."""
        return super().has_delete_permission(request, obj) and account_rules.may_delete_account(
            request.user, obj
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return Django's read-only fields, and those that the rules fix."""
        fixed = account_rules.fixed_fields(request.user, obj)
        shown = ("last_login", "date_joined", "sign_in_state", "open_sessions", "newest_events")
        return (*super().get_readonly_fields(request, obj), *shown, *fixed)

    @method_decorator(sensitive_post_parameters())
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the form of a new account, or take it; ``changeform_view`` has the transaction."""
        return self._add_view(request, form_url, extra_context)  # type: ignore[attr-defined]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002  # Django's signature
        """Show the form of another password, or take it."""
        return self._asked(request, "password_change", id) or in_one_transaction(
            request, lambda: super(AccountAdmin, self).user_change_password(request, id, form_url)
        )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record a new password, which Django logs here in the page's transaction."""
        match = request.resolver_match
        if match is not None and match.url_name == "auth_user_password_change":
            self.record(request, "account-password", obj)
            if obj != request.user:
                first_password.require_change(obj)
        return super().log_change(request, obj, message)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Let the owner of a new account change its password, in the page's transaction."""
        first_password.require_change(obj)
        return super().log_addition(request, obj, message)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return Django's fields, and how the person signs in."""
        found = super().get_fieldsets(request, obj)
        if obj is None:
            return found
        shown = ["sign_in_state"]
        if request.user.has_perm("auth.change_user"):  # as on the page of sessions
            shown.append("open_sessions")
        if request.user.has_perm("pki.view_auditevent"):
            shown.append("newest_events")
        return (*found, ("Sign-in", {"fields": shown}))

    @admin.display(description="password and second factor")
    def sign_in_state(self, account: User) -> str:
        """Show whether the password is to be changed, and the second factor."""
        return sign_in_state(account)

    @admin.display(description="sessions")
    def open_sessions(self, account: User) -> str:
        """Show where the person is signed in."""
        return open_sessions(account)

    @admin.display(description="audit trail")
    def newest_events(self, account: User) -> str:
        """Show the newest rows of the audit trail about the account."""
        return newest_events(account)


class RightsGroupAdmin(_Recorded, GroupAdmin):
    """The pages of groups, which give rights to their members."""

    noun = "group"
    facts = staticmethod(account_rules.group_facts)

    def has_add_permission(self, request: HttpRequest, *arguments: Any) -> bool:
        """Return whether this person may make groups."""
        may = account_rules.may_change_groups(request.user, None)
        return may and super().has_add_permission(request, *arguments)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may change groups."""
        may = account_rules.may_change_groups(request.user, obj)
        return may and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may delete groups."""
        may = account_rules.may_change_groups(request.user, obj)
        return may and super().has_delete_permission(request, obj)


def register() -> None:
    """Put these pages in the place of Django's."""
    for model, pages in ((User, AccountAdmin), (Group, RightsGroupAdmin)):
        admin.site.unregister(model)
        admin.site.register(model, pages)
