"""CAs: list and read. What changes them asks again who it is, which a program cannot answer."""

from typing import Any

from django.http import HttpResponseBase

from estserver.api.keyset import Selection
from estserver.api.serializers.authorities import Authority, AuthorityDetail
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.find import find_authority

VIEW = "pki.view_certificateauthority"


class Authorities(ListView):
    """The CAs, newest first."""

    permissions = {"GET": (VIEW,)}
    row = Authority

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return all of them."""
        rows = CertificateAuthority.objects.select_related("successor_of").defer("crl_der")
        return Selection(rows)


class AuthorityByName(BaseView):
    """One CA."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": AuthorityDetail}

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Return one CA with its certificates."""
        try:
            return Response(AuthorityDetail(find_authority(name)).data)
        except OperatorError as error:
            raise not_found(str(error)) from error
