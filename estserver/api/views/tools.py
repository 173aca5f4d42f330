"""The tools: dry run of an enrollment, inspection of what is pasted, the doctor."""

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.serializers.tools import (
    DoctorInput,
    DryRunAnswer,
    DryRunInput,
    InspectInput,
    Inspection,
    Report,
)
from estserver.api.views.base import BaseView, Request, Response
from estserver.tools.asking_client import AskingClient
from estserver.tools.doctor.examination import examine
from estserver.tools.doctor.registry import CHECKS
from estserver.tools.dry_run import Question, dry_run
from estserver.tools.inspection import inspect
from pki.issuance.request import Operation
from pki.operators.errors import OperatorError

OPERATIONS = {"simpleenroll": Operation.ENROLL, "simplereenroll": Operation.REENROLL}


class DryRun(BaseView):
    """Dry run of an enrollment."""

    permissions = {"POST": ("pki.view_issuedcertificate",)}
    takes = {"POST": DryRunInput}
    returns = {"POST": DryRunAnswer}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Say step by step what the server would answer to a CSR. Nothing is signed or written."""
        asked = self.body()
        client = AskingClient(asked["client"].encode(), asked["client_name"], asked["client_ca"])
        question = Question(
            asked["csr"].encode(), client, OPERATIONS[asked["operation"]], asked["label"]
        )
        try:
            return Response(dry_run(question).as_json())
        except OperatorError as error:
            name = "client" if asked["client"] else "client_name"
            raise ValidationError({name: str(error)}) from error


class Inspect(BaseView):
    """Inspect a certificate, CSR, public key, PKCS #7 or a line of an access log."""

    permissions = {"POST": ("pki.view_issuedcertificate",)}
    takes = {"POST": InspectInput}
    returns = {"POST": Inspection}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Say what a text is, and what the rules and the record say of it. Nothing is kept."""
        asked = self.body()
        try:
            return Response(inspect(asked["content"].encode(), label=asked["label"]).as_json())
        except OperatorError as error:
            raise ValidationError({"content": str(error)}) from error


class Doctor(BaseView):
    """Look at the whole installation."""

    permissions = {"POST": ("pki.view_certificateauthority",)}
    takes = {"POST": DoctorInput}
    returns = {"POST": Report}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Run the checks. It is a POST because it may ask signers and AWS. Nothing changes."""
        asked = self.body()
        wanted = [one for one in CHECKS if not asked["checks"] or one.name in asked["checks"]]
        found = [one.as_json() for one in examine(wanted, with_others=not asked["local"])]
        return Response(Report({"results": found}).data)
