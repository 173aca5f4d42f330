"""compose.yaml and the Kubernetes manifests fit their schemas, this product and each other."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from django.core.management import get_commands, load_command_class

from estserver.config import load_config
from estserver.local_server.draining import ANSWER_SECONDS
from tests.cluster.files import (
    ROOT,
    compose,
    lines,
    objects,
    objects_of,
    pods,
    services,
)

OLDEST = "1.29.0"
"""The oldest version of Kubernetes that the manifests are checked against."""
VERSIONS = [OLDEST, kubernetes_validate.latest_version()]
KUBERNETES_CONTAINERS = [
    pytest.param(pod, container, id=f"{name}-{container['name']}")
    for name, pod in pods().items()
    for container in pod["containers"]
]
COMMANDS = [pytest.param(line, id=line.where.replace(" ", "-")) for line in lines()]


def compose_schema():
    """The schema of the compose specification, which is a file of the package check-jsonschema."""
    (package,) = find_spec("check_jsonschema").submodule_search_locations
    path = Path(package, "builtin_schemas", "vendor", "compose-spec.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_compose_file_fits_the_published_schema():
    schema = compose_schema()
    validator = jsonschema.validators.validator_for(schema)(schema)

    assert [error.message for error in validator.iter_errors(compose())] == []


def test_a_key_that_compose_does_not_know_would_be_refused():
    content = compose()
    content["services"]["devices"]["readonly"] = True

    with pytest.raises(jsonschema.ValidationError, match="readonly"):
        jsonschema.validate(content, compose_schema())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "found", objects(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
def test_a_manifest_fits_the_published_schema(found, version):
    kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_kubernetes_does_not_know_would_be_refused(version):
    deployment = objects_of("Deployment")["devices"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, version, strict=True)


# The commands


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_and_takes_its_arguments(line, tmp_path):
    match line.command:
        case ("python", "manage.py", name, *arguments):
            command = load_command_class(get_commands()[name], name)
            command.create_parser("manage.py", name).parse_args(arguments)
        case ("gunicorn", *_):
            environment = {"PATH": "/usr/bin:/bin", "EST_DATA_DIR": str(tmp_path)} | {
                name: value
                for name, value in line.environment.items()
                if name.startswith(("EST_ADMIN", "DJANGO"))
            }
            checked = subprocess.run(
                [sys.executable, "-m", *line.command, "--check-config"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert checked.returncode == 0, checked.stderr
        case ("python", "-m", "estserver.operations.probe", url):
            assert re.fullmatch(r"https?://127\.0\.0\.1:\d+/(readyz|healthz)", url)
        case ("sh", script, *_):
            assert (ROOT / script).is_file()
        case _:
            pytest.fail(f"{line.where} runs {line.command}, which no test follows")


# What fits together


def test_compose_services_use_volumes_and_networks_that_exist():
    content = compose()
    for name, service in content["services"].items():
        named = {each.partition(":")[0] for each in service.get("volumes", ())}
        assert named <= set(content["volumes"]), name
        assert set(service.get("networks", ())) <= set(content["networks"]), name
        assert set(service.get("depends_on", ())) <= set(content["services"]), name


def test_compose_opens_ports_to_this_machine_only():
    opened = [port for each in compose()["services"].values() for port in each.get("ports", ())]

    assert opened
    assert all(port.startswith("127.0.0.1:") for port in opened)


def test_compose_runs_the_server_without_rights_and_with_a_disk_that_is_read_only():
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert ("user" in service) == (name == "password")


def test_compose_lets_a_server_answer_before_it_is_killed():
    config = load_config(ROOT / "config/compose/config.yaml", environ={})

    drained = config.properties.drain_seconds
    for name in ("devices", "admin"):
        grace = int(services()[name]["stop_grace_period"].removesuffix("s"))
        assert grace > drained + ANSWER_SECONDS


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """The configuration that the ConfigMap holds, which must load without a problem."""
    path = tmp_path_factory.mktemp("kubernetes") / "config.yaml"
    path.write_text(objects_of("ConfigMap")["est"]["data"]["config.yaml"])
    config = load_config(path, environ={"DATABASE_URL": "postgresql://est:x@db.example/est"})
    assert config.warnings == ()
    return config


def test_kubernetes_lets_a_server_answer_before_it_is_killed(configuration):
    drained = configuration.properties.drain_seconds
    assert pods()["devices"]["terminationGracePeriodSeconds"] > drained + ANSWER_SECONDS

    admin = pods()["admin"]
    (_, seconds) = admin["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert admin["terminationGracePeriodSeconds"] > int(seconds) + ANSWER_SECONDS


def test_a_server_drains_longer_than_its_balancers_need_to_notice(configuration):
    probe = pods()["devices"]["containers"][0]["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    assert configuration.properties.drain_seconds > noticed

    haproxy = (ROOT / "config/haproxy.cfg").read_text(encoding="utf-8")
    ((interval, failures),) = re.findall(r"inter (\d+)s fall (\d+)", haproxy)
    by_default = load_config(ROOT / "config/config-sample-all-generated.yaml", environ={})
    assert by_default.properties.drain_seconds > int(interval) * int(failures)


@pytest.mark.parametrize(("pod", "container"), KUBERNETES_CONTAINERS)
def test_a_container_has_no_rights_and_bounds_and_what_it_mounts(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted <= {each["name"] for each in pod["volumes"]}
    # Gunicorn's own files, where the disk is read-only.
    needs_memory = container["name"] in {"devices", "admin"}
    assert ("shared-memory" in mounted) == needs_memory


def test_what_the_manifests_name_exists():
    namespaces = set(objects_of("Namespace"))
    for each in objects():
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] in namespaces
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for kind in ("Deployment", "Job")
        for each in objects_of(kind).values()
    ]
    selectors = [each["spec"]["selector"] for each in objects_of("Service").values()]
    selectors += [
        each["spec"]["selector"]["matchLabels"]
        for kind in ("Deployment", "PodDisruptionBudget")
        for each in objects_of(kind).values()
    ]
    selectors += [
        each["spec"]["podSelector"]["matchLabels"] for each in objects_of("NetworkPolicy").values()
    ]
    assert selectors
    assert all(selector in labels for selector in selectors)
    for pod in pods().values():
        for volume in pod["volumes"]:
            claim, configuration = volume.get("persistentVolumeClaim"), volume.get("configMap")
            assert claim is None or claim["claimName"] in objects_of("PersistentVolumeClaim")
            assert configuration is None or configuration["name"] in objects_of("ConfigMap")


def test_secrets_are_referred_to_and_the_page_says_how_they_are_made():
    assert not objects_of("Secret")
    references = [
        each["valueFrom"]["secretKeyRef"]
        for pod in pods().values()
        for container in pod["containers"]
        for each in container["env"]
        if "valueFrom" in each
    ]
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    assert {each["name"] for each in references} == {"est"}
    for key in {each["key"] for each in references}:
        assert f"--from-literal={key}=" in page


def test_probes_ask_pages_that_exist_at_the_ports_that_are_named():
    health = {"/healthz", "/readyz"}
    for pod in pods().values():
        for container in pod["containers"]:
            ports = {each["name"] for each in container.get("ports", ())}
            probes = [value for key, value in container.items() if key.endswith("Probe")]
            assert bool(ports) == bool(probes)
            assert {probe["httpGet"]["path"] for probe in probes} <= health
            assert {probe["httpGet"]["port"] for probe in probes} <= ports
