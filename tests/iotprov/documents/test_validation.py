"""What is wrong with a template or a policy is said before AWS sees it, with line and column."""

import json

import pytest

from iotprov.documents.validation import template_problems
from iotprov.json_text.located import Place, Severity
from iotprov.models import DocumentVersion
from iotprov.policy.checks import policy_problems
from iotprov.template.reader import read_template
from tests.iotprov.samples import POLICY, TEMPLATE, policy, ref, template

Kind = DocumentVersion.Kind
OWN = "arn:aws:iot:<REGION>:<ACCOUNT_ID>"
PINNED = {
    "Action": "iot:Connect",
    "Resource": f"{OWN}:client/${{iot:Connection.Thing.ThingName}}",
}


def structure_problems(body):
    return read_template(body)[1]


def told(problems, severity):
    return [problem.message for problem in problems if problem.severity == severity]


@pytest.mark.parametrize("check", [structure_problems, policy_problems])
@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", (1, 1), "this isn't JSON: Expecting value"),
        ('{\n  "a": 1,\n}', (3, 1), "this isn't JSON"),
        ('{"Version": 1,\n "a": {},\n    "a": {}}', (3, 5), "the key 'a' is in line 2 already"),
        ('{"a": NaN}', (1, 1), "NaN isn't JSON"),
        ('{"a":\n "\\ud800"}', (2, 2), "half of a surrogate pair"),
        ("[" * 5000 + "]" * 5000, None, "nested more than 32 levels deep"),
        ("[" * 40 + "]" * 40, (1, 33), "nested more than 32 levels deep"),
        ("9" * 5000, (1, 1), "isn't JSON that AWS reads"),
        ('"text"', (1, 1), "is a JSON object with"),
    ],
)
def test_what_is_not_json_is_shown_where_it_is(check, text, place, message):
    problem = check(text)[0]

    assert message in problem.message
    assert place is None or problem.place == Place(*place)
    assert problem.is_error


def test_samples_documents_have_no_errors():
    assert [problem for problem in structure_problems(TEMPLATE) if problem.is_error] == []
    assert policy_problems(POLICY) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (" " * 10_241, "it is 10,241 characters long; AWS IoT takes 10,240"),
        ("{}", "it has no Parameters"),
        ('{"Parameters": {}}', "the template has no Resources"),
        (
            json.dumps({**json.loads(TEMPLATE), "DeviceConfiguration": {}}),
            "DeviceConfiguration is for fleet provisioning",
        ),
        (json.dumps({**json.loads(TEMPLATE), "Resource": {}}), "did you mean Resources?"),
        (
            template(parameters=("CommonName", "SerialNumber", "Email", "Id")),
            "declares AWS::IoT::Certificate::Email, which JITP doesn't know",
        ),
        (
            TEMPLATE.replace("AWS::IoT::Certificate::Country", "Country"),
            "declares Country, which JITP doesn't know",
        ),
        (TEMPLATE.replace('"String"', '"Number"'), 'a parameter is {"Type": "String"}'),
        (
            TEMPLATE.replace('"Type": "String"', '"Type": "String", "Default": 1', 1),
            "a default is a string",
        ),
        (
            template(thing={"ThingName": ref("Country")}),
            "'AWS::IoT::Certificate::Country' isn't declared in Parameters",
        ),
        (
            template(thing={"ThingName": {"Ref": "CommonName"}}),
            "'CommonName' isn't declared in Parameters",
        ),
        (template(thing={"ThingName": ""}), "the thing has no ThingName"),
        (template(thing={"ThingName": "sensor 1"}), "'sensor 1' can't be a thing name"),
        (template(thing={"ThingNames": "x"}), "did you mean ThingName?"),
        (template(thing={"ThingName": {"Fn::Sub": "${x}"}}), "Fn::Sub is documented for fleet"),
        (template(thing={"ThingName": {"Fn::Join": ["-"]}}), "Fn::Join takes a delimiter"),
        (template(thing={"ThingName": 5}), "a value is text in quotes"),
        (template(thing={"ThingGroups": "all"}), "this is a list"),
        (template(thing={"AttributePayload": []}), "AttributePayload is an object"),
        (template(thing={"AttributePayload": {"a b": "x"}}), "'a b' can't be an attribute's name"),
        (template(thing={"AttributePayload": {"a": "x y"}}), "'x y' can't be an attribute's value"),
        (template(thing={"AttributePayload": {"a": "x" * 801}}), "can't be an attribute's value"),
        (template(thing={"AttributePayload": {"a": 1}}), "a value is text in quotes"),
        (
            template(thing={"AttributePayload": dict.fromkeys("abcd", "x")}),
            "4 attributes; a thing without a ThingTypeName holds 3",
        ),
        (
            template(
                thing={
                    "AttributePayload": {f"a{number}": "x" for number in range(51)},
                    "ThingTypeName": "t",
                }
            ),
            "51 attributes; a thing holds 50",
        ),
        (template(resources={"other": {"Type": "AWS::S3::Bucket"}}), "needs a Type: one of"),
        (
            template(resources={"second": json.loads(TEMPLATE)["Resources"]["thing"]}),
            "a template makes one AWS::IoT::Thing; this one has 2",
        ),
        (template(resources={"thing": {"Type": "AWS::IoT::Thing"}}), "a thing needs Properties"),
        (
            template(certificate={"CertificateId": ref("CommonName")}),
            'the certificate needs "CertificateId"',
        ),
        (template(certificate={"CertificatePem": "x"}), "a certificate has no 'CertificatePem'"),
        (template(certificate={"Status": "REVOKED"}), "isn't one of ACTIVE, INACTIVE"),
        (
            template(override_thing={"ThingTypeName": "MERGE"}),
            "'MERGE' isn't one of DO_NOTHING, REPLACE, FAIL",
        ),
        (template(override_policy={}), "an AWS::IoT::Policy resource has no 'OverrideSettings'"),
        (template(policy={"PolicyName": ref("CommonName")}), "a PolicyName that is written out"),
    ],
)
def test_template_that_cannot_work_is_refused(body, message):
    assert any(message in error for error in told(structure_problems(body), Severity.ERROR))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (TEMPLATE, "Country is declared and not used"),
        (template(certificate={"Status": "INACTIVE"}), "can't connect"),
        (template(thing={"AttributePayload": {"a": "<AREA>"}}), "<AREA> isn't filled"),
        (
            template(thing={"ThingName": {"Fn::Join": ["", [ref("CommonName")]]}}),
            "AWS documents Fn::Join for fleet provisioning",
        ),
    ],
)
def test_template_that_may_surprise_is_warned_of(body, message):
    assert any(message in warning for warning in told(structure_problems(body), Severity.WARNING))


def test_placeholders_count_as_what_they_become():
    body = template(
        parameters=("CommonName", "Id"),
        thing={"AttributePayload": {"home": "<ACCOUNT_ID>/<region>"}},
    )

    assert structure_problems(body) == []


def test_each_problem_has_its_own_line():
    body = template(thing={"ThingName": "a b", "AttributePayload": {"c d": "x"}})
    lines = body.splitlines()

    problems = structure_problems(body)

    assert [lines[problem.place.line - 1].strip() for problem in problems][-2:] == [
        '"ThingName": "a b",',
        '"c d": "x"',
    ]
    assert [problem.place.column for problem in problems][-2:] == [22, 11]


def test_T25_policy_inside_the_template_or_of_another_name_is_refused(installation):
    inline = template(policy={"PolicyDocument": policy({"Action": "*", "Resource": "*"})})
    other = template(policy={"PolicyName": "AdministratorAccess"})

    assert any(
        "a PolicyDocument inside the template isn't allowed" in error
        for error in told(template_problems(inline), Severity.ERROR)
    )
    assert any(
        "'AdministratorAccess' isn't a policy that this server keeps" in error
        for error in told(template_problems(other), Severity.ERROR)
    )


def test_parameter_that_a_profile_never_lets_in_is_an_error(change_default_profile):
    change_default_profile(iot_provisioning="jitp", subject_attributes=["serialNumber"])

    errors = told(template_problems(TEMPLATE), Severity.ERROR)

    assert len(errors) == 1
    assert "default v2 lets no certificate hold countryName" in errors[0]


def test_parameter_that_a_profile_does_not_ask_for_is_a_warning(change_default_profile):
    change_default_profile(
        iot_provisioning="register",
        subject_attributes=["serialNumber", "countryName"],
        is_serial_number_required=True,
    )

    problems = template_problems(template(parameters=("CommonName", "SerialNumber", "Id")))
    assert problems == []

    problems = template_problems(TEMPLATE)
    assert told(problems, Severity.ERROR) == []
    assert any("doesn't ask for countryName" in one for one in told(problems, Severity.WARNING))


def test_profile_that_aws_iot_is_not_told_of_has_no_say(change_default_profile):
    change_default_profile(iot_provisioning="none", subject_attributes=["localityName"])

    assert told(template_problems(TEMPLATE), Severity.ERROR) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", 'a policy needs "Version": "2012-10-17"'),
        ('{"Version": "2008-10-17", "Statement": [{}]}', 'needs "Version": "2012-10-17"'),
        ('{"Version": "2012-10-17"}', "the policy has no Statement"),
        ('{"Version": "2012-10-17", "Statement": []}', "the policy has no Statement"),
        ('{"Version": "2012-10-17", "Statement": ["a"]}', "a statement is an object"),
        ('{"Version": "2012-10-17", "Statements": {}}', "did you mean Statement?"),
        (policy({**PINNED, "Effect": "allow"}), "Effect is Allow or Deny"),
        (policy({"Resource": "*"}), "the statement has no Action"),
        (policy({"Action": "iot:Connect"}), "the statement has no Resource"),
        (policy({**PINNED, "Principal": "*"}), "Principal isn't for AWS IoT policies"),
        (policy({**PINNED, "NotAction": "iot:Publish"}), "give Action or NotAction, not both"),
        (policy({**PINNED, "Action": [1]}), "this is a string, or a list of them"),
        (policy({**PINNED, "Action": []}), "this is a string, or a list of them"),
        (policy({**PINNED, "Action": "Connect"}), "'Connect' isn't an action"),
        (policy({**PINNED, "Condition": []}), "a Condition holds operators"),
        (policy({**PINNED, "Condition": {"Bool": "x"}}), "a Condition holds operators"),
        (policy({**PINNED, "Resource": "topic/a"}), "'topic/a' isn't an ARN"),
        (
            policy({**PINNED, "Resource": "arn:aws:iot:<REGON>:<ACCOUNT_ID>:client/a"}),
            "the ARN's region is '<REGON>': write <REGION>",
        ),
        (
            policy({**PINNED, "Resource": "arn:aws:iot:<REGION>:1234:client/a"}),
            "the ARN's account is '1234'",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{iot:Connection.Thing.Thingname}}"}),
            "did you mean iot:Connection.Thing.ThingName?",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{aws:username}}"}),
            "AWS IoT has no variable ${aws:username}",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{iot:ClientId"}),
            "${iot:ClientId has no closing brace",
        ),
        (policy({**PINNED, "Sid": "${iot:ClientId}"}), "${iot:ClientId} isn't replaced in Sid"),
        (
            policy({**PINNED, "Resource": [f"{OWN}:client/{'x' * 100}{n}" for n in range(20)]}),
            "characters without white space; AWS IoT takes 2,048",
        ),
        (" " * 20_000, "it is 20,000 characters long"),
    ],
)
def test_policy_that_cannot_work_is_refused(body, message):
    assert any(message in error for error in told(policy_problems(body), Severity.ERROR))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Action": "iot:*"}, "iot:* allows every action"),
        ({"Action": "*"}, "* allows every action"),
        ({"Resource": "*"}, "the resource * is every client ID and every topic"),
        ({"Resource": f"{OWN}:client/*"}, "a wildcard in the client ID"),
        ({"Resource": f"{OWN}:client/dev-?"}, "a wildcard in the client ID"),
        (
            {"Resource": f"{OWN}:client/${{iot:Connection.Thing.ThingName}}*"},
            "a wildcard in the client ID",
        ),
        ({"Resource": f"{OWN}:client/gateway"}, "iot:Connect isn't tied to the thing's name"),
        ({"Resource": f"{OWN}:client/${{iot:ClientId}}"}, "iot:Connect isn't tied"),
        ({"Action": "iot:Suscribe"}, "did you mean iot:Subscribe?"),
        ({"Action": "iot:CreatePolicy"}, "isn't an action of devices"),
        ({"Action": "iot:Subscribe", "Resource": f"{OWN}:topic/a"}, "topicfilter/... does"),
        ({"Action": "iot:Publish", "Resource": f"{OWN}:topic/*"}, "topic/* is every topic"),
        ({"Action": "iot:Publish", "Resource": f"{OWN}:topic/a/+/b"}, "+ and # are wildcards"),
        (
            {"Action": "iot:Publish", "Resource": f"{OWN}:topic/$aws/things/*/shadow/update"},
            "is a reserved topic that isn't the thing's own",
        ),
        (
            {"Action": "iot:Subscribe", "Resource": f"{OWN}:topicfilter/$aws/events/*"},
            "is a reserved topic that isn't the thing's own",
        ),
        (
            {"Action": "iot:Publish", "Resource": f"{OWN}:topic/$aws/rules/*"},
            "is a reserved topic that isn't the thing's own",
        ),
        (
            {"Condition": {"Bool": {"iot:Connection.Thing.IsAtached": "true"}}},
            "AWS IoT has no condition key 'iot:Connection.Thing.IsAtached': did you mean",
        ),
        ({"Action": "iot:Publish", "Resource": f"{OWN}:topic/a"}, "no device can connect"),
    ],
)
def test_policy_that_reaches_too_far_is_warned_of(statement, message):
    problems = policy_problems(policy({**PINNED, **statement}))

    assert told(problems, Severity.ERROR) == []
    assert any(message in warning for warning in told(problems, Severity.WARNING))


@pytest.mark.parametrize("name", ["NotAction", "NotResource"])
def test_negations_in_an_allow_are_warned_of(name):
    positive = name.removeprefix("Not")
    statement = {**PINNED, name: PINNED[positive]}
    del statement[positive]

    assert f"{name} allows everything but what it names: use {positive}" in told(
        policy_problems(policy(statement)), Severity.WARNING
    )


def test_client_id_in_a_topic_is_warned_of_where_the_device_may_choose_it():
    topic = {"Action": "iot:Subscribe", "Resource": f"{OWN}:topicfilter/a/${{iot:ClientId}}/b"}
    free = {**PINNED, "Resource": f"{OWN}:client/*"}

    assert policy_problems(policy(PINNED, topic)) == []
    assert any("even '+'" in problem.message for problem in policy_problems(policy(free, topic)))


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "iot:Publish", "Resource": f"{OWN}:topic/$aws/rules/ingest/x"},
        {"Action": "iot:ListRetainedMessages", "Resource": "*"},
        {
            "Action": ["iot:GetThingShadow", "iot:UpdateThingShadow"],
            "Resource": f"{OWN}:thing/${{iot:Connection.Thing.ThingName}}",
        },
        {
            "Action": "iot:Publish",
            "Resource": f"{OWN}:topic/${{iot:Connection.Thing.Attributes[site]}}/x",
        },
        {
            "Action": "iot:Publish",
            "Resource": f"{OWN}:topic/${{iot:Certificate.Subject.OrganizationalUnit.1}}/${{*}}",
            "Condition": {"StringEquals": {"iot:Certificate.Subject.Organization.List": ["a"]}},
        },
        {"Effect": "Deny", "Action": "iot:*", "Resource": "*"},
    ],
)
def test_what_devices_may_well_need_is_not_warned_of(statement):
    assert policy_problems(policy(PINNED, statement)) == []


def test_sizes_are_counted_as_aws_counts_them():
    filler = {"Sid": "x" * 10}
    exact = policy({**PINNED, **filler})
    missing = 2048 - len("".join(exact.split())) + len("<ACCOUNT_ID>") - 12 + len("<REGION>") - 14
    fits = policy({**PINNED, "Sid": "x" * (10 + missing)})
    over = policy({**PINNED, "Sid": "x" * (11 + missing)})

    assert policy_problems(fits) == []
    assert told(policy_problems(over), Severity.ERROR) == [
        "it has 2,049 characters without white space; AWS IoT takes 2,048"
    ]
