"""The access list in front of both APIs."""

from estserver.deploy.front_door.waf import COUNTED, WebAcl, WebAclAssociation, rules
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG


def test_two_rules_count_and_say_why():
    assert set(COUNTED) == {"NoUserAgent_HEADER", "SizeRestrictions_BODY"}


def test_one_access_list_guards_both_stages(deployment, live, bring):
    live(deployment, "est")
    live(deployment, "admin")
    steps = [
        WebAcl(deployment),
        WebAclAssociation(deployment, "est"),
        WebAclAssociation(deployment, "admin"),
    ]

    assert bring(*steps) == ["WAF", "est: WAF", "admin: WAF"]
    assert bring(*steps) == []
    managed = rules(deployment)[0]["Statement"]["ManagedRuleGroupStatement"]
    assert managed["Name"] == "AWSManagedRulesCommonRuleSet"
    assert [o["ActionToUse"] for o in managed["RuleActionOverrides"]] == [{"Count": {}}] * 2


def test_rules_that_somebody_made_to_count_only_block_again(deployment, bring):
    bring(WebAcl(deployment))
    seen = WebAcl(deployment).look()
    weaker = rules(deployment)
    weaker[0]["OverrideAction"] = {"Count": {}}
    aws_client("wafv2").update_web_acl(
        Name=deployment.web_acl,
        Scope="REGIONAL",
        Id=seen.acl_id,
        LockToken=seen.lock_token,
        DefaultAction={"Allow": {}},
        Rules=weaker,
        VisibilityConfig=dict(seen.held["VisibilityConfig"]),
    )

    assert bring(WebAcl(deployment)) == ["WAF"]
    assert WebAcl(deployment).look().held["Rules"][0]["OverrideAction"] == {"None": {}}


def test_an_access_list_of_somebody_else_stays_in_front(deployment, live, bring, said):
    api_id = live(deployment, "est")
    waf = aws_client("wafv2")
    visibility = {
        "SampledRequestsEnabled": True,
        "CloudWatchMetricsEnabled": True,
        "MetricName": "m",
    }
    other = waf.create_web_acl(
        Name="company", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visibility
    )["Summary"]["ARN"]
    waf.associate_web_acl(WebACLArn=other, ResourceArn=deployment.stage_arn(api_id, "est"))

    assert bring(WebAcl(deployment), WebAclAssociation(deployment, "est")) == ["WAF"]
    assert "Another access list guards est" in said.text


def test_waf_can_be_switched_off(deployment, configured, live, bring):
    live(deployment, "est")
    bring(WebAcl(deployment), WebAclAssociation(deployment, "est"))
    off = configured(CONFIG + "  wafEnabled: false\n")

    assert bring(WebAcl(off), WebAclAssociation(off, "est")) == ["est: WAF"]
    assert bring(WebAclAssociation(off, "est")) == []
