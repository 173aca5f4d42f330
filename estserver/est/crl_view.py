"""Serve revocation lists, beside EST (RFC 5280 5)."""

from django.http import Http404, HttpRequest, HttpResponse

from estserver.est import errors
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError, remote_failure
from pki.revocation.crl import current_crl


def crl(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a CA's revocation list in DER (RFC 5280 5), without authentication."""
    ca = CertificateAuthority.objects.filter(name=name).first()
    if ca is None:
        raise Http404
    try:
        der = current_crl(ca)
    except OperatorError as error:
        if remote_failure(error):
            return errors.signer_unavailable(request, error)
        raise Http404 from error
    return HttpResponse(
        der, content_type="application/pkix-crl", headers={"Content-Length": str(len(der))}
    )
