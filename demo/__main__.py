"""``make demo-aws``: CA keys in KMS and Secrets Manager, devices that become things in AWS IoT.

moto simulates AWS. Everything else is the product: its commands, and its server with mutual TLS, at
which devices enroll, renew and are revoked.
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
  iotTemplatePath: "{ROOT}/config/iot_template_with_serial_number.json"
  lambdaLoggerLevel: "WARNING"
DeploymentOptions:
  configureJITP: false  # moto has no provisioning templates, so the server makes the things
"""


class DemoInstallation(Installation):
    """An installation with its own configuration and AWS account."""

    @property
    def environment(self) -> dict[str, str]:
        """The installation's environment, with the demo's configuration."""
        return super().environment | {"EST_CONFIG": str(self.data_dir / "demo.yaml")}


def main() -> int:
    """Run the demo. Return 0 if AWS IoT has what it should have."""
    with tempfile.TemporaryDirectory(prefix="est-demo-") as directory, aws.running() as cloud:
        os.environ |= cloud.environment
        return _demonstrate(Path(directory), cloud)


def _demonstrate(directory: Path, cloud: aws.Cloud) -> int:
    (directory / "demo.yaml").write_text(CONFIGURATION)
    installation = DemoInstallation.at(directory)
    print("moto simulates an AWS account. Everything else is real.\n")
    installation.manage("migrate")
    for command in ("bootstrap_cas", "sync_policy", "register_ca"):
        _show(installation, command)
    installation.quickstart()  # makes the server's own certificate; its output is for a laptop

    server = RunningServer(installation)
    try:
        est = ESTServer(installation.port, installation.server_ca)
        _enroll_renew_revoke(installation, est, aws.bootstrap_client(cloud))
    finally:
        server.stop()
    _show(installation, "provision_pending")
    return _check(cloud)


def _enroll_renew_revoke(installation: Installation, server: ESTServer, bootstrap: bytes) -> None:
    """Enroll all devices, renew some certificates and revoke a few."""
    devices = [Device(f"sensor-{n:02}", f"SN{n:05}", server) for n in range(1, DEVICES + 1)]
    for device in devices:
        device.enroll(bootstrap)
    print(f"\n{DEVICES} devices enrolled over mutual TLS")
    for device in devices[:RENEWED]:
        device.renew()
    print(f"{RENEWED} of them renewed; the certificates before stay ACTIVE for their overlap")
    for device in devices[-REVOKED:]:
        if device.credentials is None:
            raise AssertionError("The device has enrolled above.")
        serial_number = f"{device.credentials.certificate.serial_number:x}"
        _show(installation, "revoke", serial_number, "--reason", "cessationOfOperation")


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
        raise SystemExit(f"manage.py {shown} ended with exit code {done.returncode}.")


def _check(cloud: aws.Cloud) -> int:
    """Print what AWS IoT has. Return 0 if it agrees with what the devices did, else 1."""
    print("\nWhat AWS IoT has now, read by another client:\n")
    print(f"{'thing':<12} {'serialNumber':<14} {'certificates':<24} policies")
    things = aws.things(cloud)
    for thing in things:
        certificates = ", ".join(f"{count} {status}" for status, count in thing.statuses.items())
        print(
            f"{thing.name:<12} {thing.attributes.get('serialNumber', '-'):<14} "
            f"{certificates or '-':<24} {', '.join(sorted(thing.policies)) or '-'}"
        )
    statuses = aws.certificate_statuses(cloud)
    total = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"\n{len(things)} things; certificates: {total}")
    expected = {"ACTIVE": DEVICES + RENEWED - REVOKED, "REVOKED": REVOKED}
    if len(things) != DEVICES or statuses != expected:
        print(f"Expected were {DEVICES} things and {expected}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
