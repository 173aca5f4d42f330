"""``make demo-aws``: CA keys in KMS and Secrets Manager, devices that become things in AWS IoT.

moto stands where AWS would; everything else is the product: its commands, its server with mutual
TLS, and devices that enroll, renew and are revoked.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import cloud as aws
from demo.devices import Device, ESTServer
from tests.interop.server import ROOT, Installation, RunningServer

DEVICES = 20
RENEWED = 12
REVOKED = 2

CONFIGURATION = f"""\
Properties:
  awsRegion: "{aws.REGION}"
  deviceCaSigner: "kms"
  clientCaSigner: "secretsmanager"
  iotProvisioning: "register"
  lambdaLoggerLevel: "WARNING"
DeploymentOptions:
  configureJITP: false  # moto knows no provisioning templates: the server makes the things
"""


class DemoInstallation(Installation):
    """An installation with its own configuration and account."""

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, with the pretended account that ``main`` put there."""
        return super().environment | {"EST_CONFIG": str(self.data_dir / "demo.yaml")}


def main() -> int:
    """Run the demo; 0 when AWS IoT holds what it should."""
    with tempfile.TemporaryDirectory(prefix="est-demo-") as directory, aws.running() as cloud:
        os.environ |= cloud.environment
        return _demonstrate(Path(directory), cloud)


def _demonstrate(directory: Path, cloud: aws.Cloud) -> int:
    (directory / "demo.yaml").write_text(CONFIGURATION)
    installation = DemoInstallation.at(directory)
    print("An AWS account, played by moto; the rest is real.\n")
    installation.manage("migrate")
    for command in ("bootstrap_cas", "sync_policy", "register_ca"):
        _show(installation, command)
    installation.quickstart()  # the server's own certificate; what it prints is for a laptop

    server = RunningServer(installation)
    try:
        est = ESTServer(installation.port, installation.server_ca)
        _live(installation, est, aws.bootstrap_client(cloud))
    finally:
        server.stop()
    _show(installation, "provision_pending")
    return _look(cloud)


def _live(installation: Installation, server: ESTServer, bootstrap: bytes) -> None:
    """Enroll all, renew some, revoke a few."""
    devices = [Device(f"sensor-{n:02}", f"SN{n:05}", server) for n in range(1, DEVICES + 1)]
    for device in devices:
        device.enroll(bootstrap)
    print(f"\n{DEVICES} devices enrolled over mutual TLS")
    for device in devices[:RENEWED]:
        device.renew()
    print(f"{RENEWED} of them renewed; the certificates before stay ACTIVE for their overlap")
    for device in devices[-REVOKED:]:
        if device.credentials is None:
            raise AssertionError("it enrolled")
        serial_number = f"{device.credentials.certificate.serial_number:x}"
        _show(installation, "revoke", serial_number, "--reason", "keyCompromise")


def _show(installation: Installation, *command: str) -> None:
    shown = " ".join(command)
    print(f"$ manage.py {shown}", flush=True)
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=installation.environment,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"demo: {shown} ended with {done.returncode}")


def _look(cloud: aws.Cloud) -> int:
    """Print what AWS IoT holds; 1 unless that is what was done to the devices."""
    print("\nWhat AWS IoT holds now, asked from outside:\n")
    print(f"{'thing':<12} {'serialNumber':<14} {'certificates':<24} policies")
    held = aws.things(cloud)
    for thing in held:
        certificates = ", ".join(f"{count} {status}" for status, count in thing.statuses.items())
        print(
            f"{thing.name:<12} {thing.attributes.get('serialNumber', '-'):<14} "
            f"{certificates or '-':<24} {', '.join(sorted(thing.policies)) or '-'}"
        )
    statuses = aws.certificate_statuses(cloud)
    total = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"\n{len(held)} things; certificates: {total}")
    wanted = {"ACTIVE": DEVICES + RENEWED - REVOKED, "REVOKED": REVOKED}
    if len(held) != DEVICES or statuses != wanted:
        print(f"demo: wanted {DEVICES} things and {wanted}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
