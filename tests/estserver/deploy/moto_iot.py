"""AWS IoT as far as moto leaves it out: provisioning templates, the list of CAs, tags.

Each request has been checked against the service's model by botocore; here it is kept, held to
AWS's rules where a deployment could break them, and answered in AWS's shape:
https://docs.aws.amazon.com/iot/latest/apireference/
"""

import json
import re
from dataclasses import dataclass, field

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.iot.exceptions import (
    DeleteConflictException,
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    VersionsLimitExceededException,
)
from moto.iot.models import FakeCaCertificate
from moto.iot.responses import IoTResponse

from tests.iotprov.aws_edge import let_iam_know_managed_policies

MOST_VERSIONS = 5
_NAME = re.compile(r"[0-9A-Za-z_-]{1,36}")
_LONGEST_BODY = 10240  # characters

_create_policy = IoTResponse.create_policy
_register_ca = IoTResponse.register_ca_certificate
_update_ca = IoTResponse.update_ca_certificate
_describe = FakeCaCertificate.to_description_dict


@dataclass
class Template:
    """A provisioning template with its versions."""

    arn: str
    facts: dict
    """What was sent of it, by AWS's names."""
    versions: dict[int, str]
    default: int = 1
    made_at: object = field(default_factory=utcnow)

    @property
    def shape(self):
        dates = {"creationDate": self.made_at, "lastModifiedDate": self.made_at}
        return {"templateArn": self.arn, **self.facts, **dates}


def _templates(response):
    """Of the account and region that is asked. moto's reset forgets them."""
    return vars(response.iot_backend).setdefault("kept_templates", {})


def _tags(response):
    return vars(response.iot_backend).setdefault("kept_tags", {})


def _found(response):
    name = response._get_param("templateName")
    if name not in _templates(response):
        raise ResourceNotFoundException(f"there is no template {name}")
    return _templates(response)[name]


def _sent(response, *names):
    values = {name: response._get_param(name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _check_body(body):
    try:
        is_object = isinstance(json.loads(body), dict)
    except ValueError:
        is_object = False
    if not is_object or len(body) > _LONGEST_BODY:
        raise InvalidRequestException("the template's body isn't a JSON object of that size")


def _check_role(response):
    """AWS IoT takes a role only that is there and that it can assume."""
    arn = response._get_param("provisioningRoleArn")
    roles = iam_backends[response.current_account]["aws"].roles.values()
    trust = [role.assume_role_policy_document for role in roles if role.arn == arn]
    if not any("iot.amazonaws.com" in str(each) for each in trust):
        raise InvalidRequestException(f"AWS IoT can't assume {arn}")


# Templates


def create_provisioning_template(self):
    name, body = self._get_param("templateName"), self._get_param("templateBody")
    if not _NAME.fullmatch(name):
        raise InvalidRequestException(f"{name} is no name of a template")
    arn = f"arn:aws:iot:{self.region}:{self.current_account}:provisioningtemplate/{name}"
    if name in _templates(self):
        raise ResourceAlreadyExistsException(f"{name} is there already", name, arn)
    _check_body(body)
    _check_role(self)
    facts = _sent(self, "templateName", "description", "enabled", "provisioningRoleArn", "type")
    _templates(self)[name] = Template(arn, {"type": "FLEET_PROVISIONING", **facts}, {1: body})
    _tags(self)[arn] = self._get_param("tags") or []
    return ActionResult({"templateArn": arn, "templateName": name, "defaultVersionId": 1})


def describe_provisioning_template(self):
    found = _found(self)
    in_force = {"defaultVersionId": found.default, "templateBody": found.versions[found.default]}
    return ActionResult({**found.shape, **in_force})


def list_provisioning_templates(self):
    return ActionResult({"templates": [each.shape for each in _templates(self).values()]})


def update_provisioning_template(self):
    found = _found(self)
    changes = _sent(self, "description", "enabled", "provisioningRoleArn")
    if "provisioningRoleArn" in changes:
        _check_role(self)
    found.facts = {**found.facts, **changes}
    return EmptyResult()


def delete_provisioning_template(self):
    found = _found(self)
    name = found.facts["templateName"]
    for ca in self.iot_backend.ca_certificates.values():
        if (ca.registration_config or {}).get("templateName") == name:
            raise DeleteConflictException(f"the CA {ca.certificate_id} works with {name}")
    del _templates(self)[name]
    return EmptyResult()


def create_provisioning_template_version(self):
    found = _found(self)
    _check_body(self._get_param("templateBody"))
    if len(found.versions) >= MOST_VERSIONS:
        raise VersionsLimitExceededException(found.facts["templateName"])
    number = max(found.versions) + 1
    found.versions[number] = self._get_param("templateBody")
    is_default = bool(self._get_bool_param("setAsDefault"))
    if is_default:
        found.default = number
    names = {"templateArn": found.arn, "templateName": found.facts["templateName"]}
    return ActionResult({**names, "versionId": number, "isDefaultVersion": is_default})


def list_provisioning_template_versions(self):
    found = _found(self)
    versions = [
        {"versionId": number, "creationDate": found.made_at, "isDefaultVersion": is_default}
        for number in found.versions
        for is_default in [number == found.default]
    ]
    return ActionResult({"versions": versions})


def delete_provisioning_template_version(self):
    found, number = _found(self), int(self._get_param("versionId"))
    if number not in found.versions:
        raise ResourceNotFoundException(f"there is no version {number}")
    if number == found.default:
        raise DeleteConflictException("the default version can't be deleted")
    del found.versions[number]
    return EmptyResult()


# CAs, policies, tags


def list_ca_certificates(self):
    rows = [
        {"certificateArn": ca.arn, "certificateId": ca.certificate_id, "status": ca.status}
        for ca in self.iot_backend.ca_certificates.values()
    ]
    return ActionResult({"certificates": rows})


def register_ca_certificate(self):
    pem = self._get_param("caCertificate")
    for ca in self.iot_backend.ca_certificates.values():
        if ca.certificate_pem == pem:
            raise ResourceAlreadyExistsException("it is registered", ca.certificate_id, ca.arn)
    template = (self._get_param("registrationConfig") or {}).get("templateName")
    if template and template not in _templates(self):
        raise ResourceNotFoundException(f"there is no template {template}")
    answer = _register_ca(self)
    made = self.iot_backend.ca_certificates[answer.result["certificateId"]]
    is_on = self._get_bool_param("allowAutoRegistration")
    made.kept = {
        "certificateMode": self._get_param("certificateMode") or "DEFAULT",
        "autoRegistrationStatus": "ENABLE" if is_on else "DISABLE",
    }
    _tags(self)[made.arn] = self._get_param("tags") or []
    return answer


def update_ca_certificate(self):
    answer = _update_ca(self)
    ca = self.iot_backend.ca_certificates[self.path.split("/")[-1]]
    if status := self._get_param("newAutoRegistrationStatus"):
        ca.kept = {**ca.kept, "autoRegistrationStatus": status}
    if self._get_bool_param("removeAutoRegistration"):
        ca.registration_config = None
    return answer


def to_description_dict(self):
    return {**_describe(self), **self.kept}


def create_policy(self):
    answer = _create_policy(self)
    _tags(self)[answer.result["policyArn"]] = self._get_param("tags") or []
    return answer


def list_tags_for_resource(self):
    arn = self._get_param("resourceArn")
    backend = self.iot_backend
    known = (*backend.policies.values(), *backend.ca_certificates.values())
    if arn not in {each.arn for each in (*known, *_templates(self).values())}:
        raise ResourceNotFoundException(f"there is no {arn}")
    return ActionResult({"tags": _tags(self).get(arn, [])})


def fill(monkeypatch):
    """As long as ``monkeypatch`` lasts: other tests take what is missing from an edge of theirs."""
    for operation in (
        create_provisioning_template,
        describe_provisioning_template,
        list_provisioning_templates,
        update_provisioning_template,
        delete_provisioning_template,
        create_provisioning_template_version,
        list_provisioning_template_versions,
        delete_provisioning_template_version,
        list_ca_certificates,
        register_ca_certificate,
        update_ca_certificate,
        create_policy,
        list_tags_for_resource,
    ):
        monkeypatch.setattr(IoTResponse, operation.__name__, operation, raising=False)
    monkeypatch.setattr(FakeCaCertificate, "to_description_dict", to_description_dict)
    monkeypatch.setattr(FakeCaCertificate, "kept", {}, raising=False)
    let_iam_know_managed_policies(monkeypatch)
