"""Records that lead to the domains."""

import pytest

from estserver.deploy.engine.runs import StepFailed
from estserver.deploy.front_door.dns import AliasRecords
from pki.aws.clients import aws_client


@pytest.fixture
def admin_domain(deployment):
    made = deployment.domains_of("admin")[0]
    aws_client("apigateway").create_domain_name(
        domainName=made.name,
        regionalCertificateArn=made.certificate_arn,
        endpointConfiguration={"types": ["REGIONAL"]},
        tags=deployment.tags("admin"),
    )
    return made


def zone(name, caller="1", **config):
    made = aws_client("route53").create_hosted_zone(Name=name, CallerReference=caller)
    return made["HostedZone"]["Id"].removeprefix("/hostedzone/")


def test_dns_is_set_in_the_longest_zone_that_holds_the_name(deployment, admin_domain, bring):
    zone("example.com", "1")
    longest = zone("admin.example.com", "2")
    zone("notexample.com", "3")
    step = AliasRecords(deployment, admin_domain)

    assert bring(step) == [f"admin: DNS of {admin_domain.name}"]

    seen = step.look()
    assert seen.zone_id == longest
    assert sorted(seen.records) == ["A", "AAAA"]
    assert bring(step) == []


def test_without_a_zone_of_ours_it_says_what_to_set(deployment, admin_domain, bring, said):
    step = AliasRecords(deployment, admin_domain)

    assert bring(step) == []
    assert f"set {admin_domain.name} CNAME d-" in said.text


def test_a_record_that_leads_elsewhere_is_not_changed_unasked(deployment, admin_domain, bring):
    zone_id = zone("example.com")
    record = {
        "Name": admin_domain.name,
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    aws_client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)

    with pytest.raises(StepFailed, match=r"leads to an address\. Delete it, or run with --adopt"):
        bring(AliasRecords(deployment, admin_domain))
    adopting = AliasRecords(deployment, admin_domain, adopts=True)
    assert bring(adopting) == [adopting.name]
