"""The commands of the tools: what they print, and their exit codes."""

import io
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command

from tests.support.builders import make_csr, make_key, make_name

PKCS8 = PrivateFormat.PKCS8


def run(*command):
    """The output, and the exit code with the words on standard error."""
    out = io.StringIO()
    try:
        call_command(*map(str, command), stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode, str(error)
    return out.getvalue(), 0, ""


@pytest.fixture
def files(installation, tmp_path):
    """A CSR, the test client's certificate, and a private key, as files."""
    (tmp_path / "device.csr").write_bytes(make_csr("sensor-1"))
    key = make_key().private_bytes(Encoding.PEM, PKCS8, NoEncryption())
    (tmp_path / "device.key").write_bytes(key)
    (tmp_path / "client.pem").write_bytes((installation / "test-client.pem").read_bytes())
    return tmp_path


def test_dry_run_prints_a_line_a_step_and_what_would_be_signed(files):
    said, code, _ = run("dry_run", files / "device.csr", "--client", files / "client.pem")

    assert code == 0
    assert "identity rule" in said
    assert "What would be signed:" in said
    assert "SHA-256: " in said  # of the key
    assert "SHA-1" not in said  # nothing is signed, so there is no certificate to have one


def test_dry_run_ends_with_1_when_the_request_would_be_refused(files):
    said, code, error = run(
        "dry_run", files / "device.csr", "--client", files / "client.pem", "--label", "nowhere",
        "--json",
    )  # fmt: skip

    answer = json.loads(said)
    assert (code, error) == (1, "The request would be refused.")
    assert answer["granted"] is False
    assert answer["steps"][0]["code"] == "label-unknown"
    assert {step["outcome"] for step in answer["steps"][1:]} == {"not reached"}


def test_dry_run_of_a_client_that_has_no_certificate_yet(files, client_ca):
    said, code, _ = run(
        "dry_run", files / "device.csr", "--client-name", "line-1", "--client-ca", client_ca.name
    )

    assert code == 0
    assert "only named" in said


def test_a_client_that_is_not_on_record_is_refused_with_what_to_do(files):
    _, code, error = run("dry_run", files / "device.csr", "--client-name", "nobody")

    assert code == 1
    assert "'nobody' is no thing name with a certificate" in error
    assert "--client-ca" in error


def test_a_client_ca_without_a_name_is_wrong_usage(files):
    client = ["--client", files / "client.pem"]

    _, code, error = run("dry_run", files / "device.csr", *client, "--client-ca", "client-ca")

    assert code == 2
    assert "--client-name" in error


@pytest.mark.parametrize("command", ["dry_run", "inspect"])
def test_a_file_that_is_not_there_is_a_refusal(command, files):
    more = ["--client", files / "client.pem"] if command == "dry_run" else []

    _, code, error = run(command, files / "nowhere", *more)

    assert code == 1
    assert "cannot be read" in error


def test_inspect_prints_facts_and_findings(files):
    said, code, _ = run("inspect", files / "client.pem")

    assert code == 0
    assert said.startswith("A certificate.")
    assert "CN=test-client" in said
    assert "authenticates a client of the CA" in said


def test_inspect_takes_pem_as_the_argument_itself_because_a_function_has_no_files(files):
    said, code, _ = run("inspect", (files / "client.pem").read_text(), "--json")

    assert code == 0
    assert json.loads(said)["what"] == "a certificate"


def test_inspect_ends_with_1_when_a_rule_refuses_it(files, change_default_profile):
    change_default_profile(key_algorithms=["ec-p384"])

    said, code, error = run("inspect", files / "device.csr")

    assert code == 1
    assert "key-not-allowed" in said
    assert "FAIL" in error


def test_T91_inspect_refuses_a_private_key_and_prints_nothing_of_it(files):
    said, code, error = run("inspect", files / "device.key")

    assert (said, code) == ("", 1)
    assert "It was not read" in error


def test_no_character_of_a_client_changes_the_terminal(installation, tmp_path):
    subject = make_name("sensor-1", organization="\x1b[31mred\u202e")
    (tmp_path / "hostile.csr").write_bytes(make_csr(subject=subject))

    said, _, _ = run("inspect", tmp_path / "hostile.csr")

    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "red" in said
