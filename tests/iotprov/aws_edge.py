"""AWS where moto has nothing, or never fails: provisioning templates, and faults on demand.

``AWSEdge`` stands where AWS would: in botocore's events, behind our code and boto3's, so each
call's parameters are checked against the real service model before it sees them. Whatever it has
no answer for goes on to moto.
"""

import base64
import itertools
import json
from collections import defaultdict
from contextlib import contextmanager
from functools import cache

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.iam import models
from moto.iot.models import iot_backends

from iotprov.authorities.iot_authorities import COURTESY_SECONDS
from pki.aws.clients import DEFAULT_LOCATION, READ_TIMEOUT, aws_client

TIMEOUT = "timeout"


class AWSEdge:
    """Provisioning templates in memory; remembers every call, and can be told to fail."""

    def __init__(self):
        self.calls = []
        self.templates = {}
        self.tags = {}
        """Tags by ARN, which moto keeps of nothing in AWS IoT."""
        self._faults = defaultdict(list)

    def serve(self, place=DEFAULT_LOCATION, read_timeout=READ_TIMEOUT):
        """Stand behind the clients of ``place``; each has an AWS of its own."""
        for service in ("iot", "iam"):
            events = aws_client(service, place, read_timeout=read_timeout).meta.events
            events.register(f"before-parameter-build.{service}", self._remember)
            events.register(f"before-call.{service}", self._answer)
        return self

    def fail(self, operation, code, *, status=400, worked=False, times=1):
        """Let the next calls of ``operation`` fail: with AWS's ``code``, or ``TIMEOUT``.

        With ``worked``, only the answer is lost.
        """
        self._faults[operation] += [(code, status, worked)] * times

    @contextmanager
    def failing(self, operation, code, *, status=400):
        """Let every call of ``operation`` fail meanwhile."""
        self.fail(operation, code, status=status, times=1000)
        try:
            yield
        finally:
            self._faults[operation].clear()

    def named(self, *operations):
        """The calls of these operations, in order."""
        return [name for name, _ in self.calls if name in operations]

    def parameters(self, operation):
        """What the last call of ``operation`` asked for."""
        return next(params for name, params in reversed(self.calls) if name == operation)

    def _remember(self, params, model, context, **kwargs):
        context["edge_params"] = dict(params)

    def _answer(self, model, context, **kwargs):
        name, params = model.name, context["edge_params"]
        self.calls.append((name, params))
        code, status, worked = self._faults[name].pop(0) if self._faults[name] else ("", 0, False)
        operation = getattr(self, f"_{name}", None)
        answer = None
        if operation and (worked or not code):
            answer = operation(params)
        if code == TIMEOUT:
            raise ReadTimeoutError(endpoint_url="https://iot.example.com")
        if code:
            answer = _error(code, status)
        return answer

    def serves(self, operation):
        """Whether the answers are ours; else moto's."""
        return hasattr(self, f"_{operation}")

    @staticmethod
    def template_arn(name):
        """The ARN of a template in the account that moto plays."""
        return f"arn:aws:iot:eu-central-1:123456789012:provisioningtemplate/{name}"

    def _ListTagsForResource(self, params):
        tags = self.tags.get(params["resourceArn"], {})
        return _answered(tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def _CreateProvisioningTemplate(self, params):
        name = params["templateName"]
        if name in self.templates:
            return _error("ResourceAlreadyExistsException", 409)
        self.templates[name] = {
            **params,
            "counter": itertools.count(2),
            "default": 1,
            "versions": {1: params["templateBody"]},
        }
        return _answered(templateName=name, defaultVersionId=1)

    def _DescribeProvisioningTemplate(self, params):
        template = self.templates.get(params["templateName"])
        if template is None:
            return _error("ResourceNotFoundException", 404)
        return _answered(
            templateArn=self.template_arn(template["templateName"]),
            templateName=template["templateName"],
            templateBody=template["versions"][template["default"]],
            defaultVersionId=template["default"],
            provisioningRoleArn=template["provisioningRoleArn"],
            enabled=template["enabled"],
            type=template["type"],
        )

    def _ListProvisioningTemplateVersions(self, params):
        """Two to a page, so that somebody has to turn it."""
        template = self.templates[params["templateName"]]
        start = int(params.get("nextToken", "0"))
        rows = [
            {"versionId": number, "isDefaultVersion": number == template["default"]}
            for number in template["versions"]
        ]
        more = {"nextToken": str(start + 2)} if len(rows) > start + 2 else {}
        return _answered(versions=rows[start : start + 2], **more)

    def _CreateProvisioningTemplateVersion(self, params):
        template = self.templates[params["templateName"]]
        if len(template["versions"]) >= 5:
            return _error("VersionsLimitExceededException", 409)
        number = next(template["counter"])
        template["versions"][number] = params["templateBody"]
        if params["setAsDefault"]:
            template["default"] = number
        return _answered(versionId=number, isDefaultVersion=params["setAsDefault"])

    def _DeleteProvisioningTemplateVersion(self, params):
        template = self.templates[params["templateName"]]
        if params["versionId"] == template["default"]:
            return _error("DeleteConflictException", 409)
        del template["versions"][params["versionId"]]
        return _answered()

    def _UpdateProvisioningTemplate(self, params):
        self.templates[params["templateName"]].update(params)
        return _answered()


class ListingEdge(AWSEdge):
    """An account whose CAs are listed too, and certificates page by page, as moto holds them."""

    def __init__(self, account="123456789012", region="eu-central-1"):
        super().__init__()
        self.held = iot_backends[account][region]
        self.unlisted = set()
        """IDs of certificates that lists don't hold yet."""
        self.page_size = 250
        """The most that a page of certificates holds."""

    def _ListCACertificates(self, params):
        return self._page(self.held.ca_certificates.values(), 25, params)

    def _ListCertificatesByCA(self, params):
        of_ca = self.held.list_certificates_by_ca(params["caCertificateId"])
        return self._page(of_ca, min(params["pageSize"], self.page_size), params)

    def _page(self, held, size, params):
        """Markers look like AWS's, which are base64."""
        rows = [one for one in held if one.certificate_id not in self.unlisted]
        start = int(base64.b64decode(params.get("marker", "")) or 0)
        more = {}
        if len(rows) > start + size:
            more["nextMarker"] = base64.b64encode(str(start + size).encode()).decode()
        return _answered(
            certificates=[
                {
                    "certificateArn": one.arn,
                    "certificateId": one.certificate_id,
                    "status": one.status,
                }
                for one in rows[start : start + size]
            ],
            **more,
        )


def _answered(**parsed):
    return AWSResponse("", 200, {}, None), {**parsed, "ResponseMetadata": {"HTTPStatusCode": 200}}


def _error(code, status):
    parsed = {
        "Error": {"Code": code, "Message": "because"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return AWSResponse("", status, {}, None), parsed


@cache
def _managed_policies():
    """The policies of AWS's own that tests attach, as moto keeps them: all of them take seconds."""
    wanted = (
        "AWSBackupServiceRolePolicyForBackup",
        "AWSIoTThingsRegistration",
        "AdministratorAccess",
    )
    known = json.loads(models.aws_managed_policies_data)
    return json.dumps({name: known[name] for name in wanted})


def let_iam_know_managed_policies(monkeypatch):
    monkeypatch.setattr(models, "aws_managed_policies_data", _managed_policies())
    # moto leaves them out, unless it is asked before it makes its IAM.
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")


@pytest.fixture
def aws_edge(monkeypatch, aws_cloud):
    """An AWS account that has provisioning templates too, and fails on demand."""
    let_iam_know_managed_policies(monkeypatch)
    return AWSEdge().serve()


@pytest.fixture
def listing_edge(monkeypatch, aws_cloud):
    """The same with lists; what is asked with less patience is seen too."""
    let_iam_know_managed_policies(monkeypatch)
    edge = ListingEdge()
    for read_timeout in (READ_TIMEOUT, COURTESY_SECONDS):
        edge.serve(read_timeout=read_timeout)
    return edge
