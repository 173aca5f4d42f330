"""Which permission a call needs. A refusal names the roles that have it."""

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import MethodNotAllowed

from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason
from estserver.people.roles import may_do_it, roles_with

if TYPE_CHECKING:
    from rest_framework.request import Request


class RolePermission:
    """Each view states in ``permissions`` what its methods need: all of a tuple."""

    def has_permission(self, request: "Request", view: Any) -> bool:
        """Return whether the token may make the call. Raises ``APIRefusal`` with who may."""
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in view.permissions:
            raise MethodNotAllowed(method)
        require(request.user, *view.permissions[method])
        return True

    def has_object_permission(self, request: "Request", view: Any, obj: object) -> bool:
        """Return True: permissions are of kinds of rows, as on the pages."""
        return True


def require(holder: Any, *permissions: str) -> None:
    """Raise ``APIRefusal`` unless the token has all of the permissions."""
    lacking = [one for one in permissions if not holder.has_perm(one)]
    if not lacking:
        return
    roles = roles_with(permissions)
    raise APIRefusal(
        APIReason.PERMISSION_MISSING,
        f"The token lacks {' and '.join(lacking)}. {may_do_it(roles)} The token's own roles: "
        f"{', '.join(holder.token.roles)}.",
        permissions=lacking,
        roles=roles,
    )
