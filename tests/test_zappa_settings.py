"""What is deployed: two stages of one code base, with nothing that shows secrets or code."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from estserver.config.keys import Properties
from estserver.deploy.zappa.admin_function import LAMBDA_MAXIMUM
from estserver.dsql.indexes import WAIT_SECONDS

ROOT = Path(__file__).parent.parent
STAGES = json.loads((ROOT / "zappa_settings.json").read_text())


@pytest.fixture(params=["est", "admin"])
def stage(request):
    """A stage with what it extends."""
    own = STAGES[request.param]
    return {**STAGES[own["extends"]], **own}


def test_T23_no_stage_logs_events_or_answers_with_tracebacks(stage):
    assert stage["debug"] is False
    assert stage["log_level"] == "INFO"


def test_T01_no_stage_maps_the_gateways_context_to_headers(stage):
    assert "context_header_mappings" not in stage


def test_stage_names_settings_that_exist(stage):
    settings = import_module(stage["django_settings"])

    assert settings.DEBUG is False


def test_the_admins_function_has_time_to_build_a_clusters_indexes():
    assert STAGES["admin"]["timeout_seconds"] == LAMBDA_MAXIMUM > WAIT_SECONDS
    assert "timeout_seconds" not in STAGES["est"]  # the configuration's, in common


def test_T03_est_stage_has_a_handler_of_its_own_without_raw_command():
    assert STAGES["est"]["lambda_handler"] == "estserver.lambda_est.handler"
    import_module("estserver.settings.est")


def test_T03_admin_stage_has_zappas_handler_without_its_doors_for_code():
    from estserver.functions import admin

    assert STAGES["admin"]["lambda_handler"] == "estserver.lambda_admin.handler"
    assert admin.handler.__self__ is admin.AdminHandler


def test_zappa_collects_nothing_itself_and_our_callback_fills_the_zip(stage):
    module, _, name = stage["callbacks"]["zip"].rpartition(".")

    assert stage["exclude"] == ["*"]
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(
    "callback",
    [
        *STAGES["common"]["callbacks"].values(),
        "estserver.deploy.zappa_hooks.fill_zip",  # as earlier files name it
    ],
)
def test_zappa_finds_a_callback_by_the_path_of_its_file_alone(callback):
    """As Zappa loads it: under the file's name, in a process that does not know the project."""
    module, _, name = callback.rpartition(".")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    program = (
        "from importlib.util import module_from_spec, spec_from_file_location as spec_of\n"
        f"spec = spec_of({path.stem!r}, {str(path)!r})\n"
        "module = module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        f"print(callable(module.{name}))\n"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd="/", capture_output=True, text=True
    )

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_runtime_and_architecture_are_the_configurations_defaults(stage):
    assert stage["runtime"] == Properties().lambda_runtime
    assert stage["architecture"] == Properties().lambda_architecture


def test_mutual_tls_needs_a_regional_endpoint(stage):
    assert stage["endpoint_configuration"] == ["REGIONAL"]


def test_est_bodies_are_never_compressed(stage):
    assert stage["payload_compression"] is False
    assert stage["binary_support"] is True


def test_roles_are_ours_not_zappas(stage):
    assert stage["manage_roles"] is False


def test_the_clock_calls_functions_that_exist_on_the_side_that_may_call_aws():
    assert "events" not in STAGES["est"]
    for event in STAGES["admin"]["events"]:
        module, _, name = event["function"].rpartition(".")
        assert callable(getattr(import_module(module), name))
        assert "-" not in event["function"]  # Zappa finds the name after the rule's last hyphen


def test_our_part_runs_when_zappa_runs(stage):
    for name in ("settings", "post"):
        module, function = stage["callbacks"][name].rsplit(".", 1)
        assert callable(getattr(import_module(module), function))


def test_zappa_touches_neither_dns_nor_the_endpoint(stage):
    assert stage["route53_enabled"] is False
    assert stage["touch"] is False
