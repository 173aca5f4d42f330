"""docs/vpc.md: its parameters are the template's, its prices add up, and its SQL works."""

import re
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.support.postgresql import private_server

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "vpc.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def template():
    """The template, with CloudFormation's functions left out."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    text = (ROOT / "config" / "database-stack.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader)  # a SafeLoader


def test_each_parameter_and_default_is_the_templates(template):
    parameters = template["Parameters"]
    table = TEXT.partition("| Parameter | Default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \|", table, re.MULTILINE)
    listed = {}
    for names, defaults in rows:
        values = [each.strip('`" ') for each in defaults.split(", ")]
        listed |= dict(zip(re.findall(r"\w+", names), values, strict=False))

    assert len(listed) > 9
    assert listed == {name: str(parameters[name]["Default"]).lower() for name in listed}
    named = set(re.findall(r"`([A-Z]\w+)(?:=\w+)?`", TEXT)) - template["Outputs"].keys()
    assert named - parameters.keys() == {"DATABASE", "SECRET"}


def test_each_output_that_is_named_is_one(template):
    assert {"DatabaseArn", "DatabaseSecretArn"} <= template["Outputs"].keys()


def test_the_bills_are_the_sums_of_their_parts():
    hours = 730
    aurora, paused = 0.12 * 0.5 * hours, 0.0
    instance = 0.016 * hours + 0.115 * 20
    nat, endpoints = (0.045 + 0.005) * hours, 6 * 2 * 0.01 * hours
    secret = 0.40
    parts = [aurora, paused, instance, nat, endpoints, secret]
    for part in parts:
        assert f"| {part:.2f} |" in TEXT
    for choice, bill in (
        ("`rds-instance` and `nat`", instance + nat + secret),
        ("`aurora-serverless` and `nat`", aurora + nat + secret),
        ("`aurora-serverless` that pauses and `nat`", paused + nat + secret),
        ("`aurora-serverless` and `endpoints`", aurora + endpoints + secret),
    ):
        assert f"| {choice} | {bill:.0f}" in TEXT
    awake = 24 * 365 / 12 * 6 / 60
    assert f"{awake:.0f} hours a month, or {awake * 0.5 * 0.12:.0f}" in TEXT


@pytest.mark.postgresql
def test_the_user_for_iam_can_make_the_schema_and_no_role(db):
    statements = re.findall(r"^    sql '(.*)'$", TEXT, re.MULTILINE)
    assert len(statements) == 3

    with private_server() as server:
        server.execute("CREATE ROLE rds_iam")  # as RDS has it
        for statement in statements:  # the test's superuser is est
            server.execute(re.sub(r"\best\b", "est_app", statement))
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("SET ROLE est_app")
            connection.execute("CREATE TABLE certificate (serial text PRIMARY KEY)")
            connection.execute("INSERT INTO certificate VALUES ('01')")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE ROLE another")
