"""A moto server in place of AWS, and what its AWS IoT registry holds."""

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3

REGION = "eu-central-1"
START_SECONDS = 30

# Certificates get their numbers as in AWS: the SHA-256 of the DER. By default, moto's are others.
_SERVER = """
from moto.core.config import default_user_config
from moto.server import main

default_user_config["iot"]["use_valid_cert"] = True
main()
"""


@dataclass(frozen=True)
class Cloud:
    """An AWS account on loopback, empty at first."""

    port: int

    @property
    def url(self) -> str:
        """What ``AWS_ENDPOINT_URL`` has to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads boto3 here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it answers."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise SystemExit("demo: the moto server doesn't answer") from None
                time.sleep(0.2)
            else:
                return

    def client(self, service: str) -> "boto3.client":
        """A client of our own, to look from outside."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="demo",
            aws_secret_access_key="demo",
        )


@contextmanager
def running() -> Iterator[Cloud]:
    """A moto server that ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            cloud = Cloud(port)
            cloud.wait(process)
            yield cloud
        finally:
            process.terminate()


def bootstrap_client(cloud: Cloud) -> bytes:
    """The first client's key and certificate (PEM), from the secret that ``bootstrap_cas`` made."""
    secret = cloud.client("secretsmanager").get_secret_value(SecretId="estMtlsClientSecrets")
    client = json.loads(secret["SecretString"])
    return str(client["key"] + client["certificate"]).encode()


@dataclass(frozen=True)
class RemoteThing:
    """A thing as AWS IoT has it."""

    name: str
    attributes: dict[str, str]
    statuses: Counter[str]
    """Of the certificates attached to it."""
    policies: frozenset[str]
    """Of those certificates."""


def things(cloud: Cloud) -> list[RemoteThing]:
    """Every thing, with what is attached to it."""
    iot = cloud.client("iot")
    found = []
    for page in iot.get_paginator("list_things").paginate():
        for thing in page["things"]:
            principals = iot.list_thing_principals(thingName=thing["thingName"])["principals"]
            policies = set()
            statuses: Counter[str] = Counter()
            for arn in principals:
                held = iot.describe_certificate(certificateId=arn.rpartition("/")[2])
                statuses[held["certificateDescription"]["status"]] += 1
                attached = iot.list_attached_policies(target=arn)["policies"]
                policies |= {policy["policyName"] for policy in attached}
            found.append(
                RemoteThing(thing["thingName"], thing["attributes"], statuses, frozenset(policies))
            )
    return sorted(found, key=lambda thing: thing.name)


def certificate_statuses(cloud: Cloud) -> Counter[str]:
    """All certificates by status, attached or not."""
    pages = cloud.client("iot").get_paginator("list_certificates").paginate()
    return Counter(one["status"] for page in pages for one in page["certificates"])
