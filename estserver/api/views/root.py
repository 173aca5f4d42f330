"""Who the token acts for, and what is at no other address."""

from django.http import HttpResponseBase
from rest_framework import serializers

from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason
from estserver.api.serializers.outputs import Output
from estserver.api.views.base import BaseView, Request, Response


class TokenFacts(Output):
    """The token of the request."""

    name = serializers.CharField()
    person = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Those that its person still has."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class Token(BaseView):
    """The token of the request."""

    permissions = {"GET": ()}
    returns = {"GET": TokenFacts}

    def get(self, request: Request) -> HttpResponseBase:
        """Say for whom the token acts, what it may do now, and when it expires."""
        holder = self.holder
        row = holder.token
        facts = {
            "name": row.name,
            "person": holder.get_username(),
            "roles": row.roles,
            "permissions": sorted(holder.permissions),
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        }
        return Response(TokenFacts(facts).data)


class NoSuchAddress(BaseView):
    """Every other address below the API's."""

    permissions = dict.fromkeys(("GET", "POST", "PUT", "PATCH"), ())

    def get(self, request: Request, rest: str) -> HttpResponseBase:
        """Refuse: there is nothing here."""
        raise APIRefusal(APIReason.NOT_FOUND)

    post = put = patch = get
