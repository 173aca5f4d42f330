"""Where moto and AWS differ in what we deploy, moto is brought nearer to AWS.

API Gateway: moto drops a domain's mutual TLS and has neither UpdateDomainName nor
UpdateIntegration. The parameters are checked by botocore against the service's model in any case;
this only keeps what was sent, so that a second look finds it. S3: moto reads no conditions in a
bucket's policy, and would shut everybody out whose connection isn't TLS, which here is everybody.
AWS IoT: moto keeps no tags.
SNS: moto knows no subscription by e-mail that waits until its link is opened.
"""

import copy
import functools
import json

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import DNSName
from moto.apigateway.exceptions import DomainNameNotFound
from moto.apigateway.models import APIGatewayBackend, DomainName
from moto.apigateway.responses import APIGatewayResponse
from moto.iot.responses import IoTResponse
from moto.s3.models import FakeBucket
from moto.sns.models import SNSBackend, Subscription

from tests.estserver.deploy import moto_iot
from tests.support.builders import make_ca, make_certificate, make_key

_KEPT = ("mutualTlsAuthentication", "ownershipVerificationCertificateArn")
_original_create = APIGatewayResponse.create_domain_name
_original_to_json = DomainName.to_json
_original_subscriptions = SNSBackend.list_subscriptions_by_topic


def _create_domain_name(self):
    answer = _original_create(self)
    domain = self.backend.get_domain_name(self._get_param("domainName"))
    domain.kept = {key: self._get_param(key) for key in _KEPT if self._get_param(key)}
    return 201, {"status": 201}, json.dumps(domain.to_json()) if answer else ""


def _to_json(self):
    return {**_original_to_json(self), **getattr(self, "kept", {})}


def _update_domain_name(self):
    domain = self.backend.get_domain_name(self.path.split("/")[2])
    for change in self._get_param("patchOperations"):
        assert change["op"] == "replace"
        _apply(domain, change["path"].strip("/").split("/"), change["value"])
    return json.dumps(domain.to_json())


def _apply(domain, path, value):
    if path[0] == "regionalCertificateArn":
        domain.regional_certificate_arn = value
    elif path[0] == "securityPolicy":
        domain.security_policy = value
    elif path[0] == "endpointConfiguration":
        domain.endpoint_configuration = {**domain.endpoint_configuration, path[1]: value}
    elif path[0] == "mutualTlsAuthentication":
        held = {**domain.kept.get("mutualTlsAuthentication", {}), path[1]: value}
        domain.kept = {**domain.kept, "mutualTlsAuthentication": held}
    else:
        domain.kept = {**domain.kept, path[0]: value}


def _update_integration(self):
    _, _, api_id, _, resource_id, _, method, _ = self.path.split("/")
    integration = self.backend.get_integration(api_id, resource_id, method)
    for change in self._get_param("patchOperations"):
        assert (change["op"], change["path"]) == ("replace", "/timeoutInMillis")
        integration.timeout_in_millis = int(change["value"])
    return json.dumps(integration.to_json())


def _get_base_path_mappings(self, domain_name):
    if domain_name not in self.domain_names:
        raise DomainNameNotFound
    return list(self.base_path_mappings.get(domain_name, {}).values())


def _list_subscriptions_by_topic(self, *args, **kwargs):
    listed, token = _original_subscriptions(self, *args, **kwargs)
    return [_as_aws_lists(each) for each in listed], token


def _as_aws_lists(subscription):
    if subscription.protocol != "email" or subscription.is_confirmed:
        return subscription
    shown = copy.copy(subscription)
    shown.arn = "PendingConfirmation"
    return shown


def confirm_subscriptions():
    """Open the links that AWS sent by e-mail."""
    from moto.sns.models import sns_backends

    for regions in sns_backends.values():
        for backend in regions.values():
            for subscription in backend.subscriptions.values():
                subscription.is_confirmed = True


def change_domain(name, **kept):
    """Do to a domain what somebody in the console would."""
    for account in _backends():
        try:
            domain = account.get_domain_name(name)
        except DomainNameNotFound:
            continue
        domain.kept = {**domain.kept, **kept}


def set_domain_status(name, status):
    """Let AWS be busy with a domain, or done."""
    for account in _backends():
        if name in account.domain_names:
            account.domain_names[name].domain_name_status = status


def set_domain_tags(name, tags):
    """Tag a domain; moto has no way in for that."""
    for account in _backends():
        if name in account.domain_names:
            account.domain_names[name].tags = tags


def issue_certificate(arn, *names, kind="AMAZON_ISSUED", status="ISSUED"):
    """Let ACM have a certificate under a known ARN; moto gives its own ones random ARNs."""
    from moto.acm.models import CertBundle, acm_backends

    _, _, _, region, account, _ = arn.split(":")
    certificate, key = _server_certificate(names)
    bundle = CertBundle(
        account, certificate, key, region=region, arn=arn, cert_type=kind, cert_status=status
    )
    acm_backends[account][region]._certificates[arn] = bundle


@functools.cache
def _server_certificate(names):
    key = make_key()
    san = [DNSName(name) for name in names]
    made = make_certificate(make_ca("Public CA"), names[0], public_key=key.public_key(), san=san)
    return made.public_bytes(Encoding.PEM), key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def make_public(arn):
    """Let an imported certificate be one of ACM's own."""
    from moto.acm.models import acm_backends

    _, _, _, region, account, _ = arn.split(":")
    acm_backends[account][region]._certificates[arn].type = "AMAZON_ISSUED"


def set_stack_status(name, status):
    """Let CloudFormation have failed at a stack, or be busy with it."""
    from moto.cloudformation.models import cloudformation_backends

    for regions in cloudformation_backends.values():
        for backend in regions.values():
            for stack in backend.stacks.values():
                if stack.name == name:
                    stack.status = status


def _backends() -> list[APIGatewayBackend]:
    from moto.apigateway.models import apigateway_backends

    return [
        backend
        for regions in apigateway_backends.values()
        for backend in regions.values()
        if isinstance(backend, APIGatewayBackend)
    ]


def fill():
    """Once per process, before the server starts."""
    APIGatewayResponse.create_domain_name = _create_domain_name
    APIGatewayResponse.update_domain_name = _update_domain_name
    APIGatewayResponse.update_integration = _update_integration
    DomainName.to_json = _to_json
    SNSBackend.list_subscriptions_by_topic = _list_subscriptions_by_topic
    Subscription.is_confirmed = False
    DomainName.kept = {}
    APIGatewayBackend.get_base_path_mappings = _get_base_path_mappings
    FakeBucket.get_permission = lambda self, action, resource: None
    IoTResponse.create_policy = moto_iot.create_policy
    IoTResponse.list_tags_for_resource = moto_iot.list_tags_for_resource
