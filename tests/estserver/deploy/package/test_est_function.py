"""The device side's package in a process of its own: what it answers, and what it loads for it."""

import base64
import sys
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from bench.load import make_csr
from tests.estserver.deploy.functions import first_answer
from tests.interop.server import Installation

pytestmark = pytest.mark.deploy

ALLOWED = Path(__file__).with_name("est_modules.txt")
PYTHONS_OWN = ("__mp_main__", "_sysconfigdata")  # not in sys.stdlib_module_names


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A database with CAs and a client certificate, as on a laptop."""
    made = Installation.at(tmp_path_factory.mktemp("installation"))
    made.quickstart()
    return made


@pytest.fixture
def answer(est_package, installation, tmp_path):
    """What a fresh function answers to its first request."""

    return partial(first_answer, est_package, installation, tmp_path)


def test_a_first_enrollment_is_answered_with_a_certificate(answer, installation):
    found = answer("simpleenroll", make_csr("packaged-1", "p256").decode())

    assert found["status"] == 200
    (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(found["body"]))
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert name.value == "packaged-1"
    assert (
        installation.ask("""
        from pki.models import IssuedCertificate
        answer = IssuedCertificate.objects.filter(common_name="packaged-1").count()
    """)
        == 1
    )


def test_cacerts_is_answered(answer):
    found = answer("cacerts")

    assert found["status"] == 200
    assert pkcs7.load_der_pkcs7_certificates(base64.b64decode(found["body"]))


@pytest.mark.parametrize("operation", ["cacerts", "simpleenroll"])
def test_only_allowed_packages_are_loaded(answer, operation):
    body = make_csr(f"packaged-{operation}", "p256").decode() if operation != "cacerts" else None
    lines = [line.split() for line in ALLOWED.read_text().splitlines() if line[:1] not in ("", "#")]
    allowed = {name for name, *notes in lines if body or "enrolling" not in notes}

    loaded = {name.partition(".")[0] for name in answer(operation, body)["modules"]}

    own = {name for name in loaded - sys.stdlib_module_names if not name.startswith(PYTHONS_OWN)}
    assert own == allowed


def test_no_admin_no_session_no_serializer_and_no_remote_call_is_loaded(answer):
    modules = set(answer("simpleenroll", make_csr("packaged-3", "p256").decode())["modules"])

    for name in (
        *("django.contrib", "rest_framework.views"),
        *("django.core.mail", "django.forms", "django.template", "django.views.debug", "sqlparse"),
        *("rest_framework.serializers", "boto3", "botocore", "requests", "urllib3"),
        *("estserver.models.messages", "estserver.models.people", "estserver.models.programs"),
        *("pydantic", "annotated_types", "yaml", "werkzeug", "zappa", "estserver.config.loader"),
    ):
        assert name not in modules
