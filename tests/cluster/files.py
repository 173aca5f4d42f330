"""What compose.yaml and the Kubernetes manifests say, for the tests that follow them."""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
MANIFESTS = sorted((ROOT / "config" / "kubernetes").glob("*.yaml"))


def compose():
    """The compose file's content."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def services():
    """The services that run this repository's image, by name."""
    return {name: one for name, one in compose()["services"].items() if "build" in one}


def objects():
    """Every object of the manifests. A test may change what it gets."""
    return copy.deepcopy(_read_once())


@cache  # each worker collects the tests of each object, and PyYAML takes half a second
def _read_once():
    return [
        each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def objects_of(kind):
    return {each["metadata"]["name"]: each for each in objects() if each["kind"] == kind}


def pods():
    """The pod specifications of the manifests, by the name of what makes them."""
    return {
        name: each["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for name, each in objects_of(kind).items()
    }


@dataclass(frozen=True)
class Line:
    """What a container runs, and in which environment."""

    where: str
    command: tuple[str, ...]
    environment: dict[str, str]


def lines():
    """Every command line of both, and of the compose file's health checks."""
    for name, service in services().items():
        environment = service["environment"]
        if "command" in service:
            yield Line(f"compose {name}", tuple(service["command"]), environment)
        check = service.get("healthcheck", {}).get("test")
        if check:
            yield Line(f"compose {name} health", tuple(check[1:]), environment)
    for name, pod in pods().items():
        for container in pod["containers"]:
            environment = {each["name"]: each.get("value", "") for each in container["env"]}
            if "command" in container:
                where = f"kubernetes {name} {container['name']}"
                yield Line(where, tuple(container["command"]), environment)
