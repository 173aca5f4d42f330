"""Known keys and secrets are planted, everything is made to fail, and nothing gives them away."""

import json
import logging
import os
import traceback
from collections import Counter
from dataclasses import replace

import pytest
from cryptography.x509 import load_der_x509_csr, load_pem_x509_certificate
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter

from pki.authorities.bootstrap import bootstrap_cas
from pki.aws.clients import forget_clients
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record import snapshot
from pki.signers import get_signer
from pki.signers.certificate_contents import SigningRequest
from tests.conftest import TESTER
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_ca, make_csr, make_key
from tests.support.est_client import ESTClient
from tests.support.plugins import ExternalPKI
from tests.support.secrets_manager import (
    CLIENT,
    CLIENT_CA,
    CLIENT_PLAN,
    DEVICE_CERTIFICATE,
    DEVICE_KEY,
    DEVICE_PLAN,
    SIGNERS,
    get,
    key_pem,
    pair,
    pem,
    put,
)

CANARY = make_key("rsa-2048", 22)
CUSTOM_SECRET = "canary-custom-secret-7f3a"
EXTERNAL = {
    "BACKEND": "pki.signers.external.ExternalSigner",
    "OPTIONS": {"class": "tests.support.plugins.ExternalPKI"},
}


class Told:
    """What was said of errors: their texts, and every variable that a report would show."""

    def __init__(self):
        self.reports = []

    def add(self, error, trace):
        """Report as Django does to administrators: each cause, each frame with its variables."""
        reporter = ExceptionReporter(RequestFactory().get("/"), type(error), error, trace)
        frames = [repr(frame.get("vars")) for frame in reporter.get_traceback_frames()]
        self.reports += [*frames, *traceback.format_exception(error)]


@pytest.fixture
def told(caplog):
    """A collector; log records are kept from DEBUG on."""
    caplog.set_level(logging.DEBUG)
    return Told()


@pytest.fixture
def client(aws_cloud, db, data_dir, settings):
    """An EST client of a deployed installation whose CAs have the canary as their key."""
    settings.PKI = replace(
        settings.PKI,
        device_ca=DEVICE_PLAN,
        client_ca=CLIENT_PLAN,
        signers={**SIGNERS, "external": EXTERNAL},
        custom_secret_name="customSecret",
    )
    start_new_process()
    plant()
    put("customSecret", CUSTOM_SECRET)
    bootstrap_cas(actor=TESTER)
    certificate = json.loads(get(CLIENT))["certificate"]
    return ESTClient(load_pem_x509_certificate(certificate.encode()))


def plant():
    put(DEVICE_CERTIFICATE, pem(make_ca("Device CA", key=CANARY).certificate))
    put(DEVICE_KEY, key_pem(CANARY))
    put(CLIENT_CA, pair(make_ca("Client CA", key=CANARY)))


def start_new_process():
    get_signer.cache_clear()
    forget_clients()
    snapshot.forget()


def do_everything(told):
    """All that touches keys; returns how much of it failed."""
    signer, external = get_signer("secretsmanager"), get_signer("external")
    new = f"new-{os.urandom(4).hex()}"
    failures = 0
    for attempt in (
        lambda: bootstrap_cas(actor=TESTER),
        lambda: call_command("bootstrap_cas", force=True),
        lambda: signer.private_key(DEVICE_KEY),
        lambda: signer.private_key(CLIENT_CA),
        lambda: signer.store(new, CANARY),
        lambda: signer.keep_certificate(CLIENT_CA, make_ca("Another").certificate),
        lambda: signer.fill("pfx", key_pem(CANARY).encode(), "test"),
        lambda: signer.fill("text", key_pem(CANARY) * 40, "longer than a secret may be"),
        lambda: external.sign(a_request(), None),
    ):
        try:
            attempt()
        except (OperatorError, PKIError, CommandError) as error:
            told.add(error, error.__traceback__.tb_next)  # without this very frame
            failures += 1
    return failures


def a_request():
    csr = load_der_x509_csr(make_csr("sensor-1"))
    now = timezone.now()
    return SigningRequest(csr, csr.subject, None, 1, now, now)


def dump():
    """The whole database as text."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [repr(row) for row in cursor.fetchall()]
    return "\n".join(rows)


def give_aways():
    """Any line of the keys' PEM, their numbers in several notations, the custom secret."""
    found = {CUSTOM_SECRET}
    client_key = json.loads(get(CLIENT))["key"]
    for text in (key_pem(CANARY), client_key):
        found |= {line for line in text.splitlines() if len(line) > 20 and "--" not in line}
    numbers = CANARY.private_numbers()
    for number in (numbers.d, numbers.p, numbers.q):
        found |= {f"{number}", f"{number:x}", f"{number:X}"}
    return found


def assert_nothing_leaked(told, caplog, **logged):
    """``logged`` has how many records each logger has made at least, with _ for the full stops."""
    for record in caplog.records:
        if record.exc_info and record.exc_info[1] is not None:
            told.add(*record.exc_info[1:])
    names = Counter(record.name.replace(".", "_") for record in caplog.records)
    assert logged
    assert Counter(logged) <= names, names
    records = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    # Each text, with what it has to have, else nothing was looked at.
    for text, has in (
        ("\n".join(told.reports), "Traceback (most recent call last)"),
        (records, "levelname"),
        (caplog.text, caplog.records[-1].name),
        (dump(), "-----BEGIN CERTIFICATE-----"),
    ):
        assert has in text
        assert sorted(one for one in give_aways() if one in text) == []


@pytest.mark.parametrize(
    "operation", ["GetSecretValue", "DescribeSecret", "CreateSecret", "PutSecretValue"]
)
def test_T22_no_key_in_database_log_or_report_when_AWS_fails(client, told, caplog, operation):
    put("pfx", "NULL")
    for fault in Fault:
        start_new_process()
        with failing("secretsmanager", operation, fault):
            do_everything(told)
            client.simpleenroll(make_csr("sensor-1"))

    assert len(told.reports) > 3
    failed = len(Fault) if operation == "GetSecretValue" else 0
    logged = {"estserver_request": len(Fault), "estserver_est_exceptions": failed}
    assert_nothing_leaked(told, caplog, **logged)


@pytest.mark.parametrize(
    "content",
    [
        key_pem(CANARY)[:-40],
        key_pem(CANARY).replace("A", "B"),
        "{" + key_pem(CANARY),
        json.dumps({"key": key_pem(CANARY)[:-40]}),
        json.dumps({"key": key_pem(CANARY).replace("A", "B")}),
        json.dumps({"certificate": key_pem(CANARY), "key": "NULL"}),
        json.dumps([key_pem(CANARY)]),
    ],
    ids=["cut", "changed", "no-JSON", "cut-in-JSON", "changed-in-JSON", "as-certificate", "list"],
)
def test_T22_no_key_in_database_log_or_report_when_a_secret_is_broken(
    client, told, caplog, content
):
    for name in (DEVICE_KEY, CLIENT_CA):
        plant()
        kept = get(name)
        put(name, content)
        start_new_process()
        do_everything(told)
        client.simpleenroll(make_csr("sensor-1"))
        put(name, kept)

    assert_nothing_leaked(told, caplog, estserver_request=2, estserver_est_exceptions=1)


def test_T22_no_secret_in_log_or_report_when_a_customers_class_fails(
    client, told, caplog, monkeypatch
):
    monkeypatch.setattr(ExternalPKI, "calls", [])
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: 1 // 0))

    do_everything(told)

    assert ExternalPKI.calls[0][3] == CUSTOM_SECRET
    assert "the external PKI failed" in caplog.text
    assert_nothing_leaked(told, caplog, pki_signers_external=1)
