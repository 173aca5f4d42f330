"""Versions of template and policy, and the text that a target gets."""

import json
from dataclasses import replace

import pytest

from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    add_version,
    body_for,
    body_in_force,
    current,
    filled,
    roll_back,
)
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from tests.iotprov.samples import POLICY, TEMPLATE, policy, template

Kind = DocumentVersion.Kind
ALICE = Actor("admin:alice")
HERE = {"account": "123456789012", "region": "eu-central-1", "partition": "aws"}

OTHER_POLICY = POLICY.replace("messages/", "telemetry/")
THIRD_POLICY = POLICY.replace("messages/", "data/")


@pytest.mark.django_db
class TestVersions:
    def test_file_is_in_force_until_there_is_a_version(self):
        assert current(Kind.POLICY) is None
        assert body_in_force(Kind.POLICY) == POLICY

        version = add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="telemetry")

        assert version.number == 1
        assert current(Kind.POLICY) == version
        assert body_in_force(Kind.POLICY) == OTHER_POLICY
        assert body_in_force(Kind.TEMPLATE) == TEMPLATE

    def test_each_change_is_on_the_audit_trail(self):
        add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="telemetry")
        add_version(Kind.POLICY, POLICY, actor=ALICE, reason="back")

        event = AuditEvent.objects.filter(action="add-iot-policy-version").first()
        assert (event.actor, event.reason) == ("admin:alice", "back")
        assert event.target == "iot-policy:est_iot_policy_default"
        assert event.before == {"number": 1, "body": OTHER_POLICY}
        assert event.after == {"number": 2, "body": POLICY}

    def test_roll_back_makes_a_new_version_of_the_old_text(self):
        for body in (POLICY, OTHER_POLICY, THIRD_POLICY):
            add_version(Kind.POLICY, body, actor=ALICE, reason="test")

        version = roll_back(Kind.POLICY, 2, actor=ALICE, reason="devices fell silent")

        assert (version.number, version.body) == (4, OTHER_POLICY)
        assert version.reason == "devices fell silent (back to v2)"

    def test_roll_back_to_nowhere_is_refused(self):
        with pytest.raises(OperatorError, match="est_iot_policy_default has no version 7"):
            roll_back(Kind.POLICY, 7, actor=ALICE, reason="test")

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_nothing_changes_without_a_reason(self, reason):
        with pytest.raises(OperatorError, match="needs a reason"):
            add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason=reason)
        add_version(Kind.POLICY, POLICY, actor=ALICE, reason="test")
        with pytest.raises(OperatorError, match="needs a reason"):
            roll_back(Kind.POLICY, 1, actor=ALICE, reason=reason)

    def test_the_same_text_again_is_no_new_version(self):
        add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="test")

        with pytest.raises(OperatorError, match="v1 has this very text already"):
            add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="again")

    def test_document_with_errors_does_not_get_in(self):
        with pytest.raises(DocumentError, match=r"IoT policy cannot be used. Line 1, column 2"):
            add_version(Kind.POLICY, "{", actor=ALICE, reason="test")
        assert current(Kind.POLICY) is None
        assert not AuditEvent.objects.filter(action__startswith="add-iot").exists()

    def test_versions_belong_to_the_name_that_is_configured(self, settings):
        add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="test")
        settings.IOT = replace(settings.IOT, policy_name="another")

        assert current(Kind.POLICY) is None
        assert add_version(Kind.POLICY, POLICY, actor=ALICE, reason="test").number == 1


def test_placeholders_are_filled_in_whatever_letter_case():
    document = filled(Kind.POLICY, POLICY.replace("<REGION>", "<region>"), **HERE)

    resource = document["Statement"][0]["Resource"]
    own = "client/${iot:Connection.Thing.ThingName}"
    assert resource == f"arn:aws:iot:eu-central-1:123456789012:{own}"
    assert "<" not in json.dumps(document)


@pytest.mark.parametrize(
    ("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]
)
def test_arns_get_the_partition_of_the_target(partition, region):
    document = filled(
        Kind.POLICY, POLICY, account="123456789012", region=region, partition=partition
    )

    for statement in document["Statement"]:
        resources = statement["Resource"]
        for arn in [resources] if isinstance(resources, str) else resources:
            assert arn.startswith(f"arn:{partition}:iot:{region}:123456789012:")


def test_empty_policy_name_becomes_ours(settings):
    settings.IOT = replace(settings.IOT, policy_name="mine")

    assert filled(Kind.TEMPLATE, TEMPLATE, **HERE) == {
        **json.loads(TEMPLATE),
        "Resources": {
            **json.loads(TEMPLATE)["Resources"],
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "mine"}},
        },
    }


def test_body_for_a_target_asks_aws_where_it_is(aws_cloud, settings, db):
    (target,) = settings.IOT.targets

    assert json.loads(body_for(Kind.POLICY, target)) == filled(Kind.POLICY, POLICY, **HERE)


BREAKOUT = '", "Effect": "Allow", "Action": "*", "Resource": "*'

HOSTILE_PLACES = [
    {"account": BREAKOUT},
    {"account": "12345678901"},
    {"account": "1234567890123"},
    {"account": "123456789012\n"},
    {"account": "٠١٢٣٤٥٦٧٨٩٠١"},
    {"account": "<REGION>"},
    {"account": "*"},
    {"account": ""},
    {"account": "${iot:ClientId}"},
    {"region": BREAKOUT},
    {"region": "<ACCOUNT_ID>"},
    {"region": "eu-central-1:*:*"},
    {"region": "*"},
    {"region": ""},
    {"region": "eu-central-1\\"},
    {"region": "eu-central-1 "},
    {"region": "EU-CENTRAL-1"},
    {"region": "../../etc"},
    {"partition": BREAKOUT},
    {"partition": "aws:iot:*:*:*"},
    {"partition": "amazon"},
    {"partition": "aws\u0000"},
]

HOSTILE_VALUES = [
    BREAKOUT,
    '\\", "Action": "*',
    "\\",
    "\\\\",
    "\\u0022",
    '"',
    "'",
    "\n",
    "\r\n",
    "\t",
    "\u0000",
    "\u2028",
    "\u202e",
    "</script><script>alert(1)</script>",
    "<REGION><ACCOUNT_ID>",
    "<REG<REGION>ION>",
    "<ACC<account_id>OUNT_ID>",
    "&lt;REGION&gt;",
    "%3CREGION%3E",
    "${iot:Connection.Thing.ThingName}",
    "${${iot:ClientId}}",
    "${iot:ClientId",
    "$(touch /tmp/x)",
    "{{ settings.SECRET_KEY }}",
    "{0.__class__}",
    "%s%n",
    "'; DROP TABLE iotprov_documentversion; --",
    "../../etc/passwd",
    "\U0001f600",
    "arn:aws:",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "*",
    "?",
    "+/#",
    "\x7f",
    "a" * 9000,
    "[" * 200,
    "{" * 200,
]


@pytest.mark.parametrize("place", HOSTILE_PLACES)
def test_T26_a_hostile_account_or_region_is_refused(place):
    for kind, body in ((Kind.POLICY, POLICY), (Kind.TEMPLATE, TEMPLATE)):
        with pytest.raises(DocumentError, match=r"is not (an account number|a region|a partition)"):
            filled(kind, body, **{**HERE, **place})


@pytest.mark.django_db
@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_T26_no_value_breaks_out_of_its_string(value):
    """Wherever it stands, the document keeps its shape, parses, and is looked at to the end."""
    documents = {
        Kind.TEMPLATE: template(thing={"ThingName": value, "AttributePayload": {value: value}}),
        Kind.POLICY: policy({"Sid": value, "Action": value, "Resource": f"arn:aws:iot:{value}"}),
    }
    for kind, body in documents.items():
        document = filled(kind, body, **HERE)
        text = json.dumps(document)

        assert json.loads(text) == document
        assert _shape(document) == _shape(json.loads(body))
        assert problems_of(kind, body)
        assert problems_of(kind, text)


def _shape(data):
    """Keys and nesting, strings left out."""
    if isinstance(data, dict):
        return {key: _shape(value) for key, value in data.items()}
    return [_shape(value) for value in data] if isinstance(data, list) else type(data)
