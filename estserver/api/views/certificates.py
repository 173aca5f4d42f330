"""Certificates: list, read, files, revoke one or all that match, export."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponseBase

from estserver.api.keyset import Selection
from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason
from estserver.api.selections import certificates
from estserver.api.serializers.certificates import (
    Certificate,
    CertificatePage,
    ExportMatching,
    RevokeInput,
    RevokeMatching,
)
from estserver.api.serializers.outputs import Counted, Said, said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from pki.admin.certificate_downloads import chain, csr, der, pem, pkcs7_bundle
from pki.jobs.exporting import start_export
from pki.jobs.revoking import revocable, start_revocation
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate, revoke_certificate

VIEW = "pki.view_issuedcertificate"
CHANGE = "pki.change_issuedcertificate"
JOB = "pki.add_job"
State = IssuedCertificate.State


def certificate_named(text: str) -> IssuedCertificate:
    """Return the certificate with this id, serial number or SHA-256. Raises ``APIRefusal``."""
    rows = IssuedCertificate.objects.select_related("ca", "profile")
    try:
        found = rows.filter(pk=uuid.UUID(text)).first() if len(text) == 36 else None
    except ValueError:
        found = None
    if found is not None:
        return found
    try:
        return rows.get(pk=find_certificate(text).pk)
    except OperatorError as error:
        raise not_found(str(error)) from error


class Certificates(ListView):
    """The certificates, newest first unless a filter has an order of its own."""

    permissions = {"GET": (VIEW,)}
    query = CertificatePage
    row = Certificate

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the certificates that the filters leave."""
        return certificates(filters)


class CertificateDetail(BaseView):
    """One certificate, by its id, serial number or SHA-256."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Certificate}

    def get(self, request: Request, certificate: str) -> HttpResponseBase:
        """Return one certificate."""
        return Response(Certificate(certificate_named(certificate)).data)


class CertificateFile(BaseView):
    """A certificate as a file: pem, der, chain, pkcs7 or csr."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": "application/octet-stream"}
    forms: ClassVar = {"pem": pem, "der": der, "chain": chain, "pkcs7": pkcs7_bundle, "csr": csr}

    def get(self, request: Request, certificate: str, form: str) -> HttpResponseBase:
        """Return the file, as the console's page offers it."""
        if form not in self.forms:
            raise not_found(f"There is no form {form!a}. Use one of: {', '.join(self.forms)}.")
        row = certificate_named(certificate)
        download = self.forms[form](row)
        if download is None:
            raise not_found(f"{row} was never signed, so it has no file but its CSR.")
        return download.as_response()


class CertificateRevoke(BaseView):
    """Revoke a certificate for good."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": RevokeInput}
    returns = {"POST": Said}

    def post(self, request: Request, certificate: str) -> HttpResponseBase:
        """Revoke a certificate for good. The device can still enroll again, unless it is denied."""
        asked = self.body()
        row = certificate_named(certificate)
        if asked.pop("dry_run"):
            return Response(_would_revoke(row))

        def revoke() -> Response:
            revoked = revoke_certificate(row, actor=self.actor, **asked)
            if revoked:
                return Response(said("revoked", f"{row} is revoked."))
            return Response(said("was-revoked", f"{row} was revoked before."))

        return self.carry_out(revoke)


def _would_revoke(row: IssuedCertificate) -> dict[str, Any]:
    if row.state == State.REVOKED:
        return said("was-revoked", f"{row} is revoked already.", dry_run=True)
    if row.state not in (State.ISSUED, State.SUPERSEDED):
        raise OperatorError(f"{row} was never issued ({row.state}). There is nothing to revoke.")
    return said("would-revoke", f"{row} would be revoked for good.", dry_run=True)


class CertificatesRevoke(BaseView):
    """Revoke everything that a filter leaves, as a job."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": RevokeMatching}
    returns = {"POST": Counted}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job that revokes what the filter leaves, or say how many these are."""
        asked = self.body()
        rows = revocable(certificates(asked["filter"]).rows)
        count = rows.count()
        if asked["dry_run"]:
            detail = f"{count} certificates would be revoked for good."
            found = said("would-revoke", detail, dry_run=True, count=count, job=None)
            return Response(found)

        def start() -> Response:
            if count != asked["expected"]:
                raise APIRefusal(
                    APIReason.REFUSED,
                    f"The filter leaves {count} certificates that can be revoked, and "
                    f"{asked['expected']} were expected. Nothing was revoked. Ask by dry_run.",
                )
            job = start_revocation(
                rows, reason=asked["reason"], comment=asked["comment"], actor=self.actor
            )
            detail = f"A job revokes {job.total} certificates. It goes on within a minute."
            return Response(said("job-started", detail, count=count, job=job.pk), status=202)

        return self.carry_out(start)


class CertificatesExport(BaseView):
    """Write everything that a filter leaves to a file, as a job."""

    permissions = {"POST": (VIEW,)}
    takes = {"POST": ExportMatching}
    returns = {"POST": Counted}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job that writes the file, which is kept for a week."""
        asked = self.body()

        def start() -> Response:
            rows = certificates(asked["filter"]).rows
            job = start_export(rows, form=asked["form"], actor=self.actor)
            detail = "A job writes the file. It begins within a minute."
            return Response(said("job-started", detail, count=job.total, job=job.pk), status=202)

        return self.carry_out(start)
