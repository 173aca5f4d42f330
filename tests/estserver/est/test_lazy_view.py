"""Views that are loaded by the first request for them."""

import subprocess
import sys

import pytest

from estserver.est.lazy_view import find_view, lazily
from estserver.urls.est import OPERATIONS
from tests.estserver.deploy.packages import ROOT

LOADED = """
import sys
from estserver.est.application import make_application
make_application()
from django.urls import get_resolver
get_resolver().url_patterns
print(sorted({"cryptography", "estserver.enrollment.enroll", "pki.csr.check"} & sys.modules.keys()))
"""


def loaded(program, data_dir, **environ):
    """What a process of its own says that it has loaded."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"EST_DATA_DIR": str(data_dir), **environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_what_signs_isnt_loaded_before_somebody_asks(tmp_path):
    assert loaded(LOADED, tmp_path) == "[]\n"


def test_a_server_that_lives_long_loads_it_when_it_starts(tmp_path):
    program = LOADED.replace("make_application()\n", "import estserver.wsgi_est\n")

    everything = "['cryptography', 'estserver.enrollment.enroll', 'pki.csr.check']\n"
    assert loaded(program, tmp_path) == everything


@pytest.mark.parametrize(
    ("kind", "is_loaded"), [("on-demand", False), ("provisioned-concurrency", True)]
)
def test_a_function_that_starts_before_it_is_needed_loads_it_too(tmp_path, kind, is_loaded):
    program = LOADED.replace("make_application()\n", "import estserver.lambda_est\n")

    found = loaded(program, tmp_path, AWS_LAMBDA_INITIALIZATION_TYPE=kind)

    assert ("pki.csr.check" in found) is is_loaded


def test_a_view_that_isnt_there_is_an_error_at_the_first_request():
    with pytest.raises(ImportError, match="no_such_view"):
        lazily("estserver.est.crl_view.no_such_view")(None)


def test_a_function_and_a_class_are_both_views():
    assert find_view("estserver.est.crl_view.crl").__name__ == "crl"
    assert find_view("estserver.est.views.CACertsView").view_class.__name__ == "CACertsView"


def test_W2_every_operation_has_a_view():
    assert set(OPERATIONS) == {
        *("cacerts", "simpleenroll", "simplereenroll", "csrattrs", "serverkeygen", "fullcmc")
    }
