"""AWS where moto has nothing, or never fails: provisioning templates, and faults on demand.

``AWSEdge`` stands where AWS would: in botocore's events, behind our code and boto3's, so each
call's parameters are checked against the real service model before it sees them. Whatever it has
no answer for goes on to moto.
"""

import itertools
import json
from collections import defaultdict
from functools import cache

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.iam import models

from pki import aws
from pki.aws import HERE

TIMEOUT = "timeout"


class AWSEdge:
    """Provisioning templates in memory; remembers every call, and can be told to fail."""

    def __init__(self):
        self.calls = []
        self.templates = {}
        self._faults = defaultdict(list)

    def serve(self, place=HERE):
        """Stand behind the clients of ``place``; each has an AWS of its own."""
        for service in ("iot", "iam"):
            events = aws.client(service, place).meta.events
            events.register(f"before-parameter-build.{service}", self._remember)
            events.register(f"before-call.{service}", self._answer)
        return self

    def fail(self, operation, code, *, status=400, worked=False, times=1):
        """Let the next calls of ``operation`` fail: with AWS's ``code``, or ``TIMEOUT``.

        With ``worked``, only the answer is lost.
        """
        self._faults[operation] += [(code, status, worked)] * times

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
    wanted = ("AWSIoTThingsRegistration", "AdministratorAccess")
    known = json.loads(models.aws_managed_policies_data)
    return json.dumps({name: known[name] for name in wanted})


@pytest.fixture
def aws_edge(monkeypatch, aws_cloud):
    """An AWS account that has provisioning templates too, and fails on demand."""
    monkeypatch.setattr(models, "aws_managed_policies_data", _managed_policies())
    # moto leaves them out, unless it is asked before it makes its IAM.
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    return AWSEdge().serve()
