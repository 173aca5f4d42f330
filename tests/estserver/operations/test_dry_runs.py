"""`--dry-run` of every command that changes something: it says what would be, and keeps none."""

import datetime
import io
import json

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone

from estserver.enrollment.pending import add_pending_hook
from estserver.models import ConsoleSession
from estserver.operations.command_list import command_shapes
from estserver.people import two_persons
from estserver.people.api_tokens import make_token
from iotprov.documents.versions import Kind, add_version, body_of_file
from iotprov.models import Provisioning
from pki.denylist.entries import deny
from pki.jobs.revoking import start_revocation
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.operators.effects import Effect
from pki.record import snapshot
from pki.record.audit_check import check_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_csr, make_key
from tests.support.openssl import write_pem

SHAPES = {shape.name: shape for shape in command_shapes()}

EXAMPLES = {
    "allow": ["name", "stolen-1", "--reason", "found"],
    "api_tokens add": ["nightly", "--person", "carol", "--role", "Viewer"],
    "api_tokens end": ["ci", "--person", "carol"],
    "bootstrap_cas": ["--force"],
    "ca_successor": ["device-ca", "--reason", "r"],
    "cas create": [
        *("factory-2", "--role", "device", "--common-name", "Factory 2", "--reason", "r")
    ],
    "cas import": ["theirs", "{ca}", "--role", "client", "--reason", "r", "--yes"],
    "certificates key-file": None,  # tests/pki/management/test_certificates.py
    "crl": ["device-ca"],
    "deny": ["name", "sensor-1", "--reason", "r", "--revoke"],
    "deny_import": ["--text", "kind,value,reason,expires\nname,lost-1,lost,\n"],
    "distrust_ca": ["device-ca", "--reason", "r", "--yes"],
    "export_certificates": ["--filter", "status=active", "--no-wait"],
    "first_admin": None,  # no account may be there: its own test below
    "hooks run": ["{serial}"],
    "jobs": ["{job}", "--cancel", "--reason", "r"],
    "notices": ["--acknowledge", "hooks-failed", "--reason", "r"],
    "outbox retry": ["sensor-1"],
    "outbox park": ["--every-pending", "--reason", "r"],
    "people add": ["bob", "--role", "operator"],
    "people set-roles": ["alice", "--role", "auditor", "--reason", "r"],
    "people disable": ["alice", "--reason", "r"],
    "people enable": ["gone", "--reason", "r"],
    "people password": None,  # reads a password: test_people_command.py
    "policy add": ["{policy}", "--reason", "r"],
    "policy roll-back": ["1", "--reason", "r"],
    "profile_set": ["default", "validity_days=90", "--reason", "r"],
    "profiles add": ["other", "ca=device-ca", "label=other"],
    "profiles roll-back": ["default", "1", "--reason", "r"],
    "provision_pending": [],
    "rebind_names": ["--from", "{client}", "--to", "{other}", "--reason", "r", "--yes"],
    "release_name": ["sensor-1", "--reason", "r", "--revoke"],
    "reprovision": None,  # iotprov's own tests have a target
    "requests refuse": ["{request}", "--reason", "r"],
    "retire_ca": None,  # needs a CA that is retiring: its own test below
    "revoke": ["{serial}", "--reason", "keyCompromise"],
    "revoke_list": ["--filter", "status=active", "--reason", "superseded", "--yes", "--no-wait"],
    "run_pending_hooks": [],
    "sessions end": ["--account", "carol", "--reason", "r"],
    "settle_intents": None,  # the count is of old intents: its own test below
    "sign_client_csr": ["{csr}"],
    "template add": None,  # as of the policy
    "template roll-back": None,
}
"""Arguments with which each changes something. What is None, or not here, is tested elsewhere."""

AWS = {
    *("aws_client_files", "aws_deploy", "aws_destroy", "aws_package", "aws_rollback", "aws_run"),
    *("aws_truststore", "truststore push", "truststore activate", "zappa_settings", "import_aws"),
    *("register_ca", "drift", "sync_policy", "sync_template"),
}
"""Commands that call AWS: tests/estserver/deploy/ and tests/iotprov/ have their dry runs."""

ELSEWHERE = {
    *("config_reference", "reason_codes", "commands_reference"),  # test_command_reference.py
    "migrate",  # Django's --plan
    # tests/estserver/webhooks/test_pages.py
    *("webhooks add", "webhooks rotate", "webhooks end", "webhooks redeliver"),
    "second_factor reset",  # tests/estserver/people/second_factor
}


def typed_name(shape):
    """The name of the command that a subcommand is too, if it has one of its own."""
    kind = type(shape.command)
    _, _, module = kind.__module__.rpartition(".")
    return module if kind.__name__ == "Command" else shape.name


def test_every_command_that_changes_something_has_an_example():
    writers = {
        typed_name(shape)
        for shape in SHAPES.values()
        if not shape.subcommands and shape.effect in (Effect.DATABASE, Effect.MORE)
    }

    assert writers - AWS - ELSEWHERE == {*EXAMPLES}


def contents():
    """Every row of the database, by table."""
    return {
        model._meta.label: sorted(map(repr, model._default_manager.values_list()))
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
    }


@pytest.fixture
def words(est_client, tmp_path):
    """An installation in which each example changes something, and what stands for {words}."""
    est_client.simpleenroll(make_csr("sensor-1"))
    est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1)))
    row = IssuedCertificate.objects.for_name("sensor-1").get()
    other = IssuedCertificate.objects.for_name("sensor-2").get()
    deny("name", "stolen-1", reason="stolen", actor=TESTER)
    Provisioning.objects.create(certificate=row, target="default")
    hook = in_write_transaction(lambda: add_pending_hook(row, label=""))
    hook.attempts = 3
    hook.save()
    job = start_revocation(
        IssuedCertificate.objects.filter(pk=other.pk), reason="superseded", actor=TESTER, comment=""
    )
    call_command(
        "profile_set", "default", "validity_days=30", "--reason", "r", stdout=io.StringIO()
    )
    body = body_of_file(Kind.POLICY)
    for text in (body, body.replace("\n", "\n\n", 1)):
        add_version(Kind.POLICY, text, actor=TESTER, reason="r")
    policy = tmp_path / "policy.json"
    policy.write_text(body.replace("\n", "\n\n\n", 1))
    csr = tmp_path / "client.csr"
    csr.write_bytes(make_csr("client-9", key=make_key(index=2)))
    call_command("migrate", verbosity=0)  # the roles
    User.objects.create_user("alice", is_staff=True)
    User.objects.create_user("gone", is_active=False)
    carol = User.objects.create_user("carol", is_staff=True)
    carol.groups.set(Group.objects.filter(name="Viewer"))
    make_token(carol, "ci", roles=["Viewer"], actor=TESTER)
    ConsoleSession.objects.create(account=carol.pk, session_key="k", browser="", address="")
    asked = two_persons.ask(
        operation="o", row="1", subject="a CA", parameters={}, person=carol, actor=TESTER
    )
    second = tmp_path / "second.csr"
    second.write_bytes(make_csr("line-2", key=make_key(index=3)))
    line = tmp_path / "line-2.pem"
    run("sign_client_csr", [str(second), "--out", str(line)], {})
    return {
        "serial": row.serial_number,
        "job": str(job.pk),
        "request": str(asked.pk),
        "policy": str(policy),
        "csr": str(csr),
        "ca": str(write_pem(tmp_path / "ca.pem", make_ca("Their CA").certificate)),
        "client": row.client_fingerprint,
        "other": str(line),
    }


def run(name, arguments, words, *more):
    out = io.StringIO()
    typed = [argument.format_map(words) if "{" in argument else argument for argument in arguments]
    call_command(*name.split(), *typed, *more, stdout=out)
    return out.getvalue()


DATABASE = [
    name
    for name, arguments in EXAMPLES.items()
    if arguments is not None and SHAPES[name].effect is Effect.DATABASE
]
MORE = [
    name for name, arguments in EXAMPLES.items() if arguments is not None and name not in DATABASE
]


def test_a_dry_run_of_each_command_changes_no_row(words):
    before = contents()
    head = AuditEvent.objects.count()
    for name in [*DATABASE, *MORE]:
        said = run(name, EXAMPLES[name], words, "--dry-run")

        assert said.strip(), name
        assert contents() == before, name
    assert AuditEvent.objects.count() == head
    assert check_trail() == head


def test_each_command_whose_dry_run_is_taken_back_does_change_rows(words):
    for name in DATABASE:
        before = contents()

        run(name, EXAMPLES[name], words)

        assert contents() != before, name
    check_trail()


def test_a_dry_run_says_what_the_command_says(words):
    arguments = EXAMPLES["deny"]

    dry = run("deny", arguments, words, "--dry-run")
    done = run("deny", arguments, words)

    assert dry == (
        f"A dry run. This is what would happen:\n{done}nothing was changed (--dry-run)\n"
    )


def test_a_dry_run_refuses_what_the_command_refuses(words):
    before = contents()
    with pytest.raises(CommandError, match=r"There is a profile") as caught:
        run("profiles add", ["default", "ca=device-ca", "label=x"], words, "--dry-run")

    assert caught.value.returncode == 1
    assert contents() == before


def test_a_process_that_goes_on_after_a_dry_run_does_not_keep_what_was_taken_back(words):
    run("profile_set", ["default", "validity_days=7", "--reason", "r"], words, "--dry-run")
    run("profile_set", ["default", "validity_days=8", "--reason", "r"], words)

    assert snapshot.current_snapshot().profiles[""].row.validity_days == 8


def test_a_dry_run_for_a_program_is_json_lines(words):
    lines = run("deny", EXAMPLES["deny"], words, "--dry-run", "--json").splitlines()

    assert [*map(json.loads, lines)][1]["value"] == "sensor-1"


def test_the_first_admins_password_is_not_shown_when_it_is_taken_back(db):
    said = run("first_admin", [], {}, "--dry-run")

    assert "password that is shown once" in said
    assert not User.objects.exists()


def test_a_ca_is_retired_after_its_dry_run_only(device_ca):
    run("ca_successor", ["device-ca", "--reason", "r"], {})
    before = contents()

    assert "nothing was changed" in run(
        "retire_ca", ["device-ca", "--reason", "r"], {}, "--dry-run"
    )
    assert contents() == before

    run("retire_ca", ["device-ca", "--reason", "r", "--yes"], {})
    assert CertificateAuthority.objects.get(name="device-ca").status == "retired"


def test_abandoned_intents_stay_in_a_dry_run(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    long_ago = timezone.now() - datetime.timedelta(hours=2)
    IssuedCertificate.objects.for_name("sensor-1").update(state="intent", created_at=long_ago)
    before = contents()

    assert "made void: 1" in run("settle_intents", [], {}, "--dry-run")
    assert contents() == before
