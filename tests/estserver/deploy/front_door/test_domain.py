"""Custom domains in the shapes of the real service; what moto can't hold goes through Stubber."""

import pytest
from botocore.stub import Stubber

from estserver.deploy.deployment import check_deployment
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.front_door.domain import CustomDomain
from estserver.deploy.front_door.root_mapping import RootMapping
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import ACCOUNT, ACM, CONFIG, DOMAIN, REGION

BUCKET = f"est-server-truststore-{ACCOUNT}-{REGION}"
URI = f"s3://{BUCKET}/truststore.pem"
TAGS = {
    "CostCenter": "Factory",
    "est-server:made-by": "est-server",
    "est-server:stage": "est",
}
HELD = {
    "domainName": DOMAIN,
    "regionalCertificateArn": f"{ACM}/est",
    "regionalDomainName": "d-1.execute-api.eu-central-1.amazonaws.com",
    "regionalHostedZoneId": "Z1U9ULNL0V5AJ3",
    "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"},
    "domainNameStatus": "AVAILABLE",
    "securityPolicy": "TLS_1_2",
    "tags": TAGS,
    "mutualTlsAuthentication": {"truststoreUri": URI, "truststoreVersion": "v1"},
}


@pytest.fixture
def gateway(deployment):
    """API Gateway, answer by answer; an object lies in the truststore's bucket."""
    s3 = aws_client("s3")
    location = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    made = s3.put_object(Bucket=BUCKET, Key="truststore.pem", Body=b"")
    stub = Stubber(aws_client("apigateway", read_timeout=60))
    stub.version = made["VersionId"]
    with stub:
        yield stub
    stub.assert_no_pending_responses()


def holds(stub, **changes):
    stub.add_response("get_domain_name", {**HELD, **changes}, {"domainName": DOMAIN})


def domain(deployment, **options):
    return CustomDomain(deployment, deployment.domains[0], **options)


def test_a_domain_is_made_regional_with_mutual_tls_pinned_to_a_version(deployment, gateway, bring):
    gateway.add_client_error("get_domain_name", "NotFoundException")
    gateway.add_response(
        "create_domain_name",
        {},
        {
            "domainName": DOMAIN,
            "regionalCertificateArn": f"{ACM}/est",
            "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"},
            "securityPolicy": "TLS_1_2",
            "mutualTlsAuthentication": {
                "truststoreUri": URI,
                "truststoreVersion": gateway.version,
            },
            "tags": TAGS,
        },
    )
    holds(gateway, domainNameStatus="UPDATING")
    holds(gateway)

    assert bring(domain(deployment)) == [f"est: domain {DOMAIN}"]


def test_it_waits_until_api_gateway_has_finished(deployment, gateway, bring, clock, said):
    for status in ("PENDING", "UPDATING", "AVAILABLE"):
        holds(gateway, domainNameStatus=status)

    assert bring(domain(deployment)) == []
    assert clock.slept == [10, 10]
    assert f"API Gateway is changing {DOMAIN} (UPDATING)" in said.text


def test_an_ownership_certificate_is_handed_over(aws_cloud, configured, gateway, performer):
    text = CONFIG.replace(
        "adminDomainName:", f"apiOwnershipVerificationCertificateArn: {ACM}/own\n  adminDomainName:"
    )
    gateway.add_client_error("get_domain_name", "NotFoundException")

    [intended] = intentions([domain(configured(text))])

    parameters = intended.calls[0].parameters
    assert parameters["ownershipVerificationCertificateArn"] == f"{ACM}/own"


def test_what_was_changed_in_the_console_is_set_right_and_the_version_left_alone(
    deployment, gateway, bring
):
    """The version is aws_truststore's to choose."""
    holds(
        gateway,
        regionalCertificateArn=f"{ACM}/old",
        securityPolicy="TLS_1_0",
        endpointConfiguration={"types": ["REGIONAL"], "ipAddressType": "ipv4"},
    )
    gateway.add_response(
        "update_domain_name",
        {},
        {
            "domainName": DOMAIN,
            "patchOperations": [
                {"op": "replace", "path": "/regionalCertificateArn", "value": f"{ACM}/est"},
                {"op": "replace", "path": "/securityPolicy", "value": "TLS_1_2"},
                {
                    "op": "replace",
                    "path": "/endpointConfiguration/ipAddressType",
                    "value": "dualstack",
                },
            ],
        },
    )
    holds(gateway)

    bring(domain(deployment))

    gateway.assert_no_pending_responses()  # the change, and a look at what came of it


@pytest.mark.parametrize(
    ("held", "paths"),
    [
        ({}, ["truststoreUri", "truststoreVersion"]),
        ({"truststoreUri": URI}, ["truststoreVersion"]),
        (
            {"truststoreUri": "s3://elsewhere/x.pem", "truststoreVersion": "v1"},
            ["truststoreUri", "truststoreVersion"],
        ),
    ],
)
def test_T27_mutual_tls_that_was_switched_off_unpinned_or_moved_is_set_right(
    deployment, gateway, held, paths
):
    holds(gateway, mutualTlsAuthentication=held)

    [intended] = intentions([domain(deployment)])

    changes = intended.calls[0].parameters["patchOperations"]
    assert [c["path"] for c in changes] == [f"/mutualTlsAuthentication/{path}" for path in paths]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tags": {}}, r"was not made by this tool\. Delete it, or run with --adopt"),
        ({"tags": {"est-server:made-by": "another"}}, "belongs to the project another"),
        (
            {"domainNameStatus": "PENDING_OWNERSHIP_VERIFICATION"},
            "Set apiOwnershipVerificationCertificateArn to a public ACM certificate",
        ),
        (
            {"domainNameStatus": "FAILED", "domainNameStatusMessage": "no such object"},
            r"is FAILED \(no such object\)",
        ),
        ({"endpointConfiguration": {"types": ["EDGE"]}}, "is not a regional domain"),
    ],
)
def test_a_domain_that_cant_be_used_is_refused_with_what_to_do(
    deployment, gateway, performer, changes, words
):
    holds(gateway, **changes)

    with pytest.raises(StepFailed, match=words):
        carry_out([domain(deployment)], performer)


def test_a_dry_run_names_what_cant_be_done_and_goes_on(deployment, gateway):
    holds(gateway, tags={})

    [intended] = intentions([domain(deployment)])

    assert intended.calls == ()
    assert "was not made by this tool" in intended.reason


def test_a_name_that_is_taken_elsewhere_says_so(deployment, gateway, performer):
    gateway.add_client_error("get_domain_name", "NotFoundException")
    gateway.add_client_error("create_domain_name", "ConflictException")

    with pytest.raises(StepFailed, match="in use, perhaps in another account of yours"):
        carry_out([domain(deployment)], performer)


def test_a_domain_that_was_there_is_adopted_when_asked_and_never_deleted(
    deployment, gateway, bring
):
    adopted = {"est-server:adopted": "est-server"}
    holds(gateway, tags={"by": "cdk"})
    arn = f"arn:aws:apigateway:{REGION}::/domainnames/{DOMAIN}"
    gateway.add_response("tag_resource", {}, {"resourceArn": arn, "tags": adopted})
    holds(gateway, tags={"by": "cdk", **adopted})
    holds(gateway, tags={"by": "cdk", **adopted})

    step = domain(deployment, adopts=True)
    bring(step)

    assert step.undo(step.look()).calls == ()


def test_a_bootstrap_domain_has_no_mutual_tls(aws_cloud, configured):
    text = CONFIG.replace(
        "adminDomainName:",
        f"bootstrapDomainName: b.example.com\n  bootstrapCertificateArn: {ACM}/b\n"
        "  adminDomainName:",
    )
    deployment = configured(text)
    est, bootstrap, admin = deployment.domains

    [intended] = intentions([CustomDomain(deployment, bootstrap)])

    assert "mutualTlsAuthentication" not in intended.calls[0].parameters
    assert (est.is_mutual_tls, bootstrap.stage, admin.stage) == (True, "est", "admin")


def test_the_admin_has_no_ipv6_address_when_only_ipv4_networks_may_reach_it(configured):
    text = CONFIG.replace(
        "deviceCaSigner", "adminAllowedNetworks: [192.0.2.0/24]\n  deviceCaSigner"
    )

    assert configured(text).domains_of("admin")[0].is_dualstack is False
    both = text.replace("192.0.2.0/24", '192.0.2.0/24, "2001:db8::/32"')
    assert configured(both).domains_of("admin")[0].is_dualstack is True


# The mapping, which moto has


def test_the_root_leads_to_the_stage_wherever_it_led_before(deployment, bring, live):
    admin = deployment.domains_of("admin")[0]
    api_id = live(deployment, "admin")
    gateway = aws_client("apigateway")
    other = gateway.create_rest_api(name="other")["id"]
    gateway.create_domain_name(
        domainName=admin.name,
        regionalCertificateArn=admin.certificate_arn,
        tags=deployment.tags("admin"),
    )
    step = RootMapping(deployment, admin)

    assert bring(step) == [f"admin: mapping of {admin.name}"]
    assert bring(step) == []
    change = {"op": "replace", "path": "/restapiId", "value": other}
    stage = {"op": "replace", "path": "/stage", "value": ""}
    gateway.update_base_path_mapping(
        domainName=admin.name, basePath="(none)", patchOperations=[change, stage]
    )
    [intended] = intentions([step])
    assert intended.calls[0].reason.startswith(f"{admin.name} leads to another API ({other}")
    bring(step)
    assert step.look().by_path == {"(none)": (api_id, "admin")}


def test_a_foreign_domain_is_never_unmapped_or_deleted(deployment, live):
    admin = deployment.domains_of("admin")[0]
    live(deployment, "admin")
    aws_client("apigateway").create_domain_name(domainName=admin.name)
    moto_gaps.set_domain_tags(admin.name, {"team": "other"})
    steps = [CustomDomain(deployment, admin), RootMapping(deployment, admin)]

    assert intentions(steps, removing=True) == []


# Before anything is done


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Properties: {}", "apiCustomDomainName is not set, and API Gateway has mutual TLS"),
        (
            f"Properties: {{apiCustomDomainName: {DOMAIN}}}",
            f"apiCertificateArn is not set, and {DOMAIN} needs a server certificate in ACM",
        ),
        (
            CONFIG.replace(f"{ACM}/est", "arn:aws:acm:us-east-1:123456789012:certificate/1"),
            "apiCertificateArn is a certificate in us-east-1, and the deployment in eu-central-1",
        ),
        (
            "Properties: {deviceCaSigner: keyfile}",
            "deviceCaSigner is keyfile, and Lambda has no disk that lasts",
        ),
    ],
)
def test_what_cant_be_deployed_is_refused_before_anything_is(configured, text, words):
    with pytest.raises(OperatorError, match=words):
        check_deployment(configured(text))
