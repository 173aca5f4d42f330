"""A moto server in place of AWS, and the contents of its AWS IoT registry."""

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

# A certificate's id is the SHA-256 of its DER, as in AWS. By default, moto's ids are different.
_SERVER = """
from moto.core.config import default_user_config
from moto.server import main

default_user_config["iot"]["use_valid_cert"] = True
main()
"""


@dataclass(frozen=True)
class Cloud:
    """A simulated AWS account on loopback, which is empty at first."""

    port: int

    @property
    def url(self) -> str:
        """The value for ``AWS_ENDPOINT_URL``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment with which boto3 calls this account and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the moto server accepts connections."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise SystemExit("The moto server does not answer.") from None
                time.sleep(0.2)
            else:
                return

    def client(self, service: str) -> "boto3.client":
        """Return a boto3 client that is not the product's."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="demo",
            aws_secret_access_key="demo",
        )


@contextmanager
def running() -> Iterator[Cloud]:
    """Run a moto server until the block ends."""
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
    """Return the first client's key and certificate in PEM, from ``bootstrap_cas``'s secret."""
    secret = cloud.client("secretsmanager").get_secret_value(SecretId="estMtlsClientSecrets")
    client = json.loads(secret["SecretString"])
    return str(client["key"] + client["certificate"]).encode()


@dataclass(frozen=True)
class RemoteThing:
    """A thing in AWS IoT's registry."""

    name: str
    attributes: dict[str, str]
    statuses: Counter[str]
    """The statuses of the certificates that are attached to it."""
    policies: frozenset[str]
    """The policies of those certificates."""


def things(cloud: Cloud) -> list[RemoteThing]:
    """Return every thing, with its certificates and their policies."""
    iot = cloud.client("iot")
    found = []
    for page in iot.get_paginator("list_things").paginate():
        for thing in page["things"]:
            principals = iot.list_thing_principals(thingName=thing["thingName"])["principals"]
            policies = set()
            statuses: Counter[str] = Counter()
            for arn in principals:
                answer = iot.describe_certificate(certificateId=arn.rpartition("/")[2])
                statuses[answer["certificateDescription"]["status"]] += 1
                attached = iot.list_attached_policies(target=arn)["policies"]
                policies |= {policy["policyName"] for policy in attached}
            found.append(
                RemoteThing(thing["thingName"], thing["attributes"], statuses, frozenset(policies))
            )
    return sorted(found, key=lambda thing: thing.name)


def certificate_statuses(cloud: Cloud) -> Counter[str]:
    """Count all certificates by status, attached or not."""
    pages = cloud.client("iot").get_paginator("list_certificates").paginate()
    return Counter(one["status"] for page in pages for one in page["certificates"])
