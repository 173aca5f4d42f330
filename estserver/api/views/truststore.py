"""The truststore of API Gateway: by the record, compared with AWS, and pushed as a job."""

from typing import Any

from django.http import HttpResponseBase

from estserver.api.keyset import Selection
from estserver.api.serializers.inputs import NoInput
from estserver.api.serializers.outputs import Counted, said
from estserver.api.serializers.truststore import (
    Compared,
    Truststore,
    TruststoreInput,
    TruststorePush,
)
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from estserver.console.overview.work import read_truststore
from estserver.deploy.deployment import current_deployment
from estserver.deploy.truststore.bundle import describe
from estserver.deploy.truststore.comparison import compare_with_gateway
from estserver.deploy.truststore.pushes import wanted_bundle
from estserver.deploy.truststore.pushing_job import check_has_truststore, check_push, start_push
from estserver.models import TruststorePush as TruststorePushRow
from pki.csr.subjects import name_text
from pki.encoding.certificates import fingerprint_of
from pki.operators.errors import OperatorError

VIEW = "estserver.view_truststorepush"
CHANGE = "estserver.change_truststorepush"


class TruststoreNow(BaseView):
    """The truststore of API Gateway, by the record. AWS is not asked."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Truststore}

    def get(self, request: Request) -> HttpResponseBase:
        """Return the CAs that API Gateway is to trust, and what changed since the last push."""
        said: dict[str, Any] = {"certificates": [], "sha256": "", "problem": ""}
        try:
            bundle = wanted_bundle()
        except OperatorError as error:
            said["problem"] = str(error)
        else:
            said["sha256"] = bundle.sha256
            said["certificates"] = [
                {
                    "subject": name_text(one.subject),
                    "sha256": fingerprint_of(one),
                    "not_after": one.not_valid_after_utc,
                }
                for one in bundle.certificates
            ]
        found = read_truststore()
        said["active_version"] = found.active.version_id if found and found.active else None
        said["changed_since"] = list(found.changed) if found else []
        return Response(Truststore(said).data)


class TruststorePushes(ListView):
    """The pushes of the truststore, newest first."""

    permissions = {"GET": (VIEW,)}
    row = TruststorePush

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return all of them."""
        return Selection(TruststorePushRow.objects.all())


class TruststoreCompare(BaseView):
    """Compare the truststore with AWS."""

    permissions = {"POST": (VIEW,)}
    takes = {"POST": NoInput}
    returns = {"POST": Compared}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Ask AWS which CAs the domain trusts, and say what a push would change."""
        self.body()
        check_has_truststore()
        found = compare_with_gateway(current_deployment())
        answer = {
            "active_version": found.now.version,
            "added": [*map(describe, found.difference.added)],
            "removed": [*map(describe, found.difference.removed)],
            "kept": [*map(describe, found.difference.kept)],
            "turned_away": [*map(str, found.lost)],
            "warnings": found.now.warnings,
        }
        return Response(Compared(answer).data)


class TruststoreChange(BaseView):
    """Push the truststore, or go back to a version, as a job."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": TruststoreInput}
    returns = {"POST": Counted}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job that has the domain trust the CAs on record, or an earlier version.

        It changes nothing if a CA goes that clients still need, unless their removal is meant.
        """
        asked = self.body()
        version = asked["version"]
        if version and not TruststorePushRow.objects.filter(version_id=version).exists():
            raise not_found("No push of that version is on record.")
        terms = {
            "reason": asked["reason"],
            "version": version,
            "is_removal_meant": asked["is_removal_meant"],
        }
        what = f"version {version}" if version else "the CAs on record"
        if asked["dry_run"]:
            check_push(terms)
            detail = f"A job would have the domain trust {what}."
            return Response(said("would-push", detail, dry_run=True, count=1, job=None))

        def start() -> Response:
            job = start_push(**terms, actor=self.actor)
            detail = f"A job has the domain trust {what}. It begins within a minute."
            return Response(said("job-started", detail, count=1, job=job.pk), status=202)

        return self.carry_out(start)
