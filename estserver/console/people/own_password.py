"""The page on which a person changes their own password. After a first password, it comes first."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from estserver.console.people.accounts import in_one_transaction, record_account
from estserver.people.passwords import first_password
from estserver.people.passwords.check import check_own_password
from estserver.people.sessions import marks as session_marks
from estserver.people.sign_in.first_steps import CHANGE_PASSWORD, page_after, step_before
from pki.admin.operations import admin_actor
from pki.exceptions import Busy
from pki.operators.errors import OperatorError

SAME = "This is the password that you have. Choose another one."


class OwnPasswordForm(PasswordChangeForm):
    """Django's form, whose old password is guessed as seldom as at the sign-in."""

    required_css_class = "required"
    request: Any = None

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        """Check the old password."""
        old_password: str = self.cleaned_data["old_password"]
        try:
            check_own_password(self.user, old_password, actor=admin_actor(self.request))
        except (OperatorError, Busy) as error:
            raise ValidationError(str(error), code="password_incorrect") from None
        return old_password

    @sensitive_variables("cleaned", "old", "new")
    def clean(self) -> dict[str, Any]:
        """Apply the validators, and refuse the password that is in force."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        old, new = cleaned.get("old_password"), cleaned.get("new_password1")
        if old and old == new:
            self.add_error("new_password1", SAME)
        return cleaned


class OwnPasswordView(PasswordChangeView):
    """Django's view, with the audit trail, and on to the page that the person wanted at first."""

    form_class = OwnPasswordForm

    def get_form(self, form_class: Any = None) -> Any:
        """Return the form, which needs to know where the request comes from."""
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say why the page comes first, if it does."""
        why = "You did not choose this password. Choose one of your own before you go on."
        first = {"subtitle": why} if self._is_first() else {}
        return {**super().get_context_data(**kwargs), **first}

    def form_valid(self, form: Any) -> HttpResponse:
        """Change the password. The file that held it goes then."""
        is_first = self._is_first()
        request, person = self.request, self.request.user

        def change() -> None:
            form.save()
            first_password.note_change(person)
            record_account("account-password", request, person)

        in_one_transaction(request, change)
        # What follows cannot be rolled back, so it is outside of the transaction.
        update_session_auth_hash(request, form.user)
        session_marks.mark_password_changed(request)
        if path := first_password.remove_file_of(form.cleaned_data["old_password"]):
            messages.success(request, f"The file {path} held the old password, and is removed.")
        if not is_first:
            return HttpResponseRedirect(reverse("admin:password_change_done"))
        messages.success(request, "Your password is changed.")
        return HttpResponseRedirect(page_after(request))

    def _is_first(self) -> bool:
        return step_before(self.request) is CHANGE_PASSWORD
