"""Two thing names never share a thing: what a template may make of its ThingName (T47)."""

import io
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from iotprov.documents.versions import add_version, current, roll_back
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion, Provisioning
from iotprov.template.reader import read_template
from iotprov.template.thing_name_rule import is_named_after_common_name
from tests.conftest import TESTER
from tests.iotprov.aws_edge import aws_edge
from tests.iotprov.samples import CASES, ref, template
from tests.support.builders import make_csr

__all__ = ["aws_edge"]

Kind = DocumentVersion.Kind
FROM_SERIAL = (CASES / "template-thing-name-from-serial.json").read_text()
LITERAL = (CASES / "template-literal-thing-name.json").read_text()
GOOD = template(parameters=("CommonName", "Id"), thing={"AttributePayload": {}})


def join(*parts, delimiter="-"):
    return {"Fn::Join": [delimiter, list(parts)]}


@pytest.fixture
def in_file(settings, tmp_path):
    """Let the configuration name a template of this text."""

    def write(body):
        path = tmp_path / "template.json"
        path.write_text(body)
        settings.IOT = replace(settings.IOT, template_path=path, configure_jitp=True)

    return write


def put_on_record(body):
    """Record a version as an earlier release did, without asking for the rule."""
    return DocumentVersion.objects.create(
        kind=Kind.TEMPLATE,
        name="est_iot_provisioning_template",
        number=1,
        body=body,
        reason="earlier",
        created_by="test",
    )


def told_by_check(**options):
    """What `check` says; an error is raised as SystemCheckError."""
    out = io.StringIO()
    call_command("check", stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        ref("CommonName"),
        join(ref("CommonName")),
        join("fleet", ref("CommonName"), "7"),
        join("a", join("b", ref("CommonName"), delimiter=""), delimiter=":"),
        join("<REGION>", ref("CommonName")),
    ],
)
def test_T47_the_common_name_with_fixed_text_names_one_device(name):
    found, problems = read_template(template(thing={"ThingName": name}))

    assert not any(problem.is_error for problem in problems)
    assert is_named_after_common_name(found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (ref("SerialNumber"), "made from SerialNumber"),
        (ref("Id"), "made from Id"),
        ("MyThing", "the same for every device"),
        (join("a", "b"), "the same for every device"),
        (join(ref("CommonName"), ref("SerialNumber")), "made from CommonName, SerialNumber"),
        (join(ref("CommonName"), ref("CommonName")), "made from CommonName more than once"),
    ],
)
@pytest.mark.django_db
def test_T47_any_other_thing_name_is_refused_where_it_stands(name, words):
    body = template(thing={"ThingName": name})

    with pytest.raises(DocumentError) as raised:
        add_version(Kind.TEMPLATE, body, actor=TESTER, reason="test")

    assert f"The ThingName is {words}." in str(raised.value)
    assert "Line 17, column 22: The ThingName" in str(raised.value)
    assert current(Kind.TEMPLATE) is None


@pytest.mark.parametrize("body", [FROM_SERIAL, LITERAL])
@pytest.mark.django_db
def test_T47_a_new_template_is_refused_by_sync_template_and_by_check(aws_edge, in_file, body):
    in_file(body)
    call_command("sync_policy", stdout=io.StringIO())

    for arguments in ([], ["--dry-run"], ["--from-file", "--reason", "test"]):
        with pytest.raises(CommandError, match="Two devices could get one thing"):
            call_command("sync_template", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    with pytest.raises(SystemCheckError, match=r"iotprov\.E002"):
        told_by_check(databases=["default"])
    assert "iotprov.W002" in told_by_check()
    assert not aws_edge.templates
    assert current(Kind.TEMPLATE) is None


@pytest.mark.django_db
def test_T47_what_an_earlier_release_recorded_goes_on_with_a_warning(aws_edge, settings):
    settings.IOT = replace(settings.IOT, configure_jitp=True)
    put_on_record(FROM_SERIAL)
    warnings = io.StringIO()
    call_command("sync_policy", stdout=io.StringIO())

    call_command("sync_template", stdout=io.StringIO(), stderr=warnings)

    assert "Warning: Line 17, column 22: The ThingName is made from SerialNumber." in (
        warnings.getvalue()
    )
    assert len(aws_edge.templates) == 1
    said = told_by_check(databases=["default"])
    assert "iotprov.W002" in said
    assert "The provisioning template est_iot_provisioning_template v1: Line 17" in said


@pytest.mark.django_db
def test_T47_what_was_changed_to_the_rule_does_not_come_back():
    put_on_record(FROM_SERIAL)
    add_version(Kind.TEMPLATE, GOOD, actor=TESTER, reason="the rule")

    with pytest.raises(DocumentError, match="made from SerialNumber"):
        roll_back(Kind.TEMPLATE, 1, actor=TESTER, reason="test")

    assert current(Kind.TEMPLATE).body == GOOD


def test_T47_a_file_that_things_were_made_with_does_not_stop_migrate(
    in_file, earlier_profile, est_client
):
    in_file(LITERAL)
    earlier_profile(iot_provisioning="register")
    with pytest.raises(SystemCheckError, match=r"iotprov\.E002"):
        call_command("migrate", "--plan", skip_checks=False, stdout=io.StringIO())
    est_client.simpleenroll(make_csr())
    Provisioning.objects.update(thing_name="MyThing", state="settled")

    out = io.StringIO()
    call_command("migrate", "--plan", skip_checks=False, stdout=out, stderr=out)
    assert "iotprov.W002" in told_by_check(databases=["default"])
