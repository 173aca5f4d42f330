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
        ("", (1, 1), "This is not JSON: Expecting value"),
        ('{\n  "a": 1,\n}', (3, 1), "This is not JSON"),
        ('{"Version": 1,\n "a": {},\n    "a": {}}', (3, 5), "The key 'a' is in line 2 already"),
        ('{"a": NaN}', (1, 1), "NaN is not JSON"),
        ('{"a":\n "\\ud800"}', (2, 2), "half of a surrogate pair"),
        ("[" * 5000 + "]" * 5000, None, "nested deeper than 32 levels"),
        ("[" * 40 + "]" * 40, (1, 33), "nested deeper than 32 levels"),
        ("9" * 5000, (1, 1), "AWS does not read this JSON"),
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
        (" " * 10_241, "The template has 10,241 characters. AWS IoT takes 10,240."),
        ("{}", "it has no Parameters"),
        ('{"Parameters": {}}', "The template has no Resources"),
        (
            json.dumps({**json.loads(TEMPLATE), "DeviceConfiguration": {}}),
            "DeviceConfiguration is for fleet provisioning",
        ),
        (json.dumps({**json.loads(TEMPLATE), "Resource": {}}), "Did you mean Resources?"),
        (
            template(parameters=("CommonName", "SerialNumber", "Email", "Id")),
            "declares AWS::IoT::Certificate::Email, which JITP does not know",
        ),
        (
            TEMPLATE.replace("AWS::IoT::Certificate::Country", "Country"),
            "declares Country, which JITP does not know",
        ),
        (TEMPLATE.replace('"String"', '"Number"'), 'A parameter is {"Type": "String"}'),
        (
            TEMPLATE.replace('"Type": "String"', '"Type": "String", "Default": 1', 1),
            "A default is a string",
        ),
        (
            template(thing={"ThingName": ref("Country")}),
            "'AWS::IoT::Certificate::Country' is not declared in Parameters. Declare it there.",
        ),
        (
            template(thing={"ThingName": {"Ref": "CommonName"}}),
            "'CommonName' is not declared in Parameters. Write AWS::IoT::Certificate::CommonName.",
        ),
        (
            template(thing={"ThingName": {"Ref": "Country"}}),
            "Write AWS::IoT::Certificate::Country, and declare that there.",
        ),
        (
            template(thing={"ThingName": ref("Commonname")}),
            "Did you mean AWS::IoT::Certificate::CommonName?",
        ),
        (
            template(thing={"ThingName": ref("Email")}),
            "It is AWS::IoT::Certificate:: with one of CommonName, Country, "
            "DistinguishedNameQualifier, Organization, OrganizationalUnit, SerialNumber, "
            "StateName, Id.",
        ),
        (template(thing={"ThingName": ""}), "The thing has no ThingName"),
        (template(thing={"ThingName": "sensor 1"}), "'sensor 1' cannot be a thing name"),
        (template(thing={"ThingNames": "x"}), "Did you mean ThingName?"),
        (template(thing={"ThingName": {"Fn::Sub": "${x}"}}), "Fn::Sub is documented for fleet"),
        (template(thing={"ThingName": {"Fn::Join": ["-"]}}), "Fn::Join takes a delimiter"),
        (template(thing={"ThingName": 5}), "A value is text in quotes"),
        (template(thing={"ThingGroups": "all"}), "This is a list"),
        (template(thing={"AttributePayload": []}), "AttributePayload is an object"),
        (template(thing={"AttributePayload": {"a b": "x"}}), "'a b' cannot be an attribute's name"),
        (
            template(thing={"AttributePayload": {"a": "x y"}}),
            "'x y' cannot be an attribute's value",
        ),
        (template(thing={"AttributePayload": {"a": "x" * 801}}), "cannot be an attribute's value"),
        (template(thing={"AttributePayload": {"a": 1}}), "A value is text in quotes"),
        (
            template(thing={"AttributePayload": dict.fromkeys("abcd", "x")}),
            "4 attributes. A thing without a ThingTypeName has 3 at most.",
        ),
        (
            template(
                thing={
                    "AttributePayload": {f"a{number}": "x" for number in range(51)},
                    "ThingTypeName": "t",
                }
            ),
            "51 attributes. A thing has 50 at most.",
        ),
        (template(resources={"other": {"Type": "AWS::S3::Bucket"}}), "needs a Type: one of"),
        (
            template(resources={"second": json.loads(TEMPLATE)["Resources"]["thing"]}),
            "A template makes one AWS::IoT::Thing. This one has 2.",
        ),
        (template(resources={"thing": {"Type": "AWS::IoT::Thing"}}), "A thing needs Properties"),
        (
            template(certificate={"CertificateId": ref("CommonName")}),
            'The certificate needs "CertificateId"',
        ),
        (template(certificate={"CertificatePem": "x"}), "A certificate has no 'CertificatePem'"),
        (template(certificate={"Status": "REVOKED"}), "is not one of ACTIVE, INACTIVE"),
        (
            template(override_thing={"ThingTypeName": "MERGE"}),
            "'MERGE' is not one of DO_NOTHING, REPLACE, FAIL",
        ),
        (template(override_policy={}), "An AWS::IoT::Policy resource has no 'OverrideSettings'"),
        (template(policy={"PolicyName": ref("CommonName")}), "a PolicyName that is written out"),
    ],
)
def test_template_that_cannot_work_is_refused(body, message):
    assert any(message in error for error in told(structure_problems(body), Severity.ERROR))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (TEMPLATE, "Country is declared and not used"),
        (template(certificate={"Status": "INACTIVE"}), "cannot connect"),
        (template(thing={"AttributePayload": {"a": "<AREA>"}}), "<AREA> is not filled"),
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
        "A PolicyDocument inside the template is not allowed" in error
        for error in told(template_problems(inline), Severity.ERROR)
    )
    assert any(
        "'AdministratorAccess' is not this server's policy" in error
        for error in told(template_problems(other), Severity.ERROR)
    )


def test_parameter_that_a_profile_never_lets_in_is_an_error(earlier_profile):
    earlier_profile(iot_provisioning="jitp", subject_attributes=["serialNumber"])

    errors = told(template_problems(TEMPLATE), Severity.ERROR)

    assert len(errors) == 1
    assert "default v2 allows no countryName in a certificate" in errors[0]


def test_parameter_that_a_profile_does_not_ask_for_is_a_warning(earlier_profile):
    earlier_profile(
        iot_provisioning="register",
        subject_attributes=["serialNumber", "countryName"],
        is_serial_number_required=True,
    )

    problems = template_problems(template(parameters=("CommonName", "SerialNumber", "Id")))
    assert problems == []

    problems = template_problems(TEMPLATE)
    assert told(problems, Severity.ERROR) == []
    assert any("does not require countryName" in one for one in told(problems, Severity.WARNING))


def test_profile_that_aws_iot_is_not_told_of_has_no_say(change_default_profile):
    change_default_profile(iot_provisioning="none", subject_attributes=["localityName"])

    assert told(template_problems(TEMPLATE), Severity.ERROR) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", 'A policy needs "Version": "2012-10-17"'),
        ('{"Version": "2008-10-17", "Statement": [{}]}', 'needs "Version": "2012-10-17"'),
        ('{"Version": "2012-10-17"}', "The policy has no Statement"),
        ('{"Version": "2012-10-17", "Statement": []}', "The policy has no Statement"),
        ('{"Version": "2012-10-17", "Statement": ["a"]}', "A statement is an object"),
        ('{"Version": "2012-10-17", "Statements": {}}', "Did you mean Statement?"),
        (policy({**PINNED, "Effect": "allow"}), "Effect is Allow or Deny"),
        (policy({"Resource": "*"}), "The statement has no Action"),
        (policy({"Action": "iot:Connect"}), "The statement has no Resource"),
        (policy({**PINNED, "Principal": "*"}), "Principal is not for AWS IoT policies"),
        (policy({**PINNED, "NotAction": "iot:Publish"}), "Give Action or NotAction, not both"),
        (policy({**PINNED, "Action": [1]}), "This is a string or a list of strings"),
        (policy({**PINNED, "Action": []}), "This is a string or a list of strings"),
        (policy({**PINNED, "Action": "Connect"}), "'Connect' is not an action"),
        (policy({**PINNED, "Condition": []}), "A Condition consists of operators"),
        (policy({**PINNED, "Condition": {"Bool": "x"}}), "A Condition consists of operators"),
        (policy({**PINNED, "Resource": "topic/a"}), "'topic/a' is not an ARN"),
        (
            policy({**PINNED, "Resource": "arn:aws:iot:<REGON>:<ACCOUNT_ID>:client/a"}),
            "The ARN's region is '<REGON>'. Write <REGION>",
        ),
        (
            policy({**PINNED, "Resource": "arn:aws:iot:<REGION>:1234:client/a"}),
            "The ARN's account is '1234'",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{iot:Connection.Thing.Thingname}}"}),
            "Did you mean iot:Connection.Thing.ThingName?",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{aws:username}}"}),
            "AWS IoT has no variable ${aws:username}",
        ),
        (
            policy({**PINNED, "Resource": f"{OWN}:client/${{iot:ClientId"}),
            "${iot:ClientId has no closing brace",
        ),
        (policy({**PINNED, "Sid": "${iot:ClientId}"}), "${iot:ClientId} is not replaced in Sid"),
        (
            policy({**PINNED, "Resource": [f"{OWN}:client/{'x' * 100}{n}" for n in range(20)]}),
            "characters without white space. AWS IoT takes 2,048",
        ),
        (" " * 20_000, "The policy has 20,000 characters"),
    ],
)
def test_policy_that_cannot_work_is_refused(body, message):
    assert any(message in error for error in told(policy_problems(body), Severity.ERROR))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Action": "iot:*"}, "iot:* allows every action"),
        ({"Action": "*"}, "* allows every action"),
        ({"Resource": "*"}, "The resource * is every client ID and every topic"),
        ({"Resource": f"{OWN}:client/*"}, "A wildcard in the client ID"),
        ({"Resource": f"{OWN}:client/dev-?"}, "A wildcard in the client ID"),
        (
            {"Resource": f"{OWN}:client/${{iot:Connection.Thing.ThingName}}*"},
            "A wildcard in the client ID",
        ),
        ({"Resource": f"{OWN}:client/gateway"}, "iot:Connect is not tied to the thing's name"),
        ({"Resource": f"{OWN}:client/${{iot:ClientId}}"}, "iot:Connect is not tied"),
        ({"Action": "iot:Suscribe"}, "Did you mean iot:Subscribe?"),
        ({"Action": "iot:CreatePolicy"}, "is not an action of devices"),
        ({"Action": "iot:Subscribe", "Resource": f"{OWN}:topic/a"}, "Use topicfilter/..."),
        ({"Action": "iot:Publish", "Resource": f"{OWN}:topic/*"}, "topic/* is every topic"),
        ({"Action": "iot:Publish", "Resource": f"{OWN}:topic/a/+/b"}, "+ and # are wildcards"),
        (
            {"Action": "iot:Publish", "Resource": f"{OWN}:topic/$aws/things/*/shadow/update"},
            "is a reserved topic, and not one of the thing's own",
        ),
        (
            {"Action": "iot:Subscribe", "Resource": f"{OWN}:topicfilter/$aws/events/*"},
            "is a reserved topic, and not one of the thing's own",
        ),
        (
            {"Action": "iot:Publish", "Resource": f"{OWN}:topic/$aws/rules/*"},
            "is a reserved topic, and not one of the thing's own",
        ),
        (
            {"Condition": {"Bool": {"iot:Connection.Thing.IsAtached": "true"}}},
            "AWS IoT has no condition key 'iot:Connection.Thing.IsAtached'. Did you mean",
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

    assert f"{name} allows everything except what it names. Use {positive}." in told(
        policy_problems(policy(statement)), Severity.WARNING
    )


def test_client_id_in_a_topic_is_warned_of_where_the_device_may_choose_it():
    topic = {"Action": "iot:Subscribe", "Resource": f"{OWN}:topicfilter/a/${{iot:ClientId}}/b"}
    free = {**PINNED, "Resource": f"{OWN}:client/*"}

    assert policy_problems(policy(PINNED, topic)) == []
    assert any(
        "which may be '+'" in problem.message for problem in policy_problems(policy(free, topic))
    )


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
        "The policy has 2,049 characters without white space. AWS IoT takes 2,048."
    ]
