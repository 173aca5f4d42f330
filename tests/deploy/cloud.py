"""An account that moto plays, with what an operator has before deploying, and their programs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.builders import make_ca, make_certificate, make_key
from tests.deploy.account import DOMAIN, REGION
from tests.deploy.packages import ROOT, RUNTIME

ADMIN_DOMAIN = "admin.example.com"
SAMPLE = ROOT / "config" / "config-sample-all-generated.yaml"
MINUTES = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True)
class Cloud:
    """The account, and a directory with the operator's configuration."""

    url: str
    directory: Path
    database_url: str

    def client(self, service):
        """A boto3 client of it."""
        names = {name.lower(): value for name, value in CREDENTIALS.items()}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **names)

    def prepare(self):
        """What people have before they deploy: a zone, certificates; then the sample, filled in."""
        self.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        values = {
            "apiCustomDomainName": DOMAIN,
            "apiCertificateArn": self._certificate(DOMAIN),
        }
        text = SAMPLE.read_text()
        for key, value in values.items():
            text, count = re.subn(rf'(?m)^  {key}: ".*"$', f'  {key}: "{value}"', text)
            assert count == 1, key
        # Beyond the sample: this Python, a domain for people, and things without the templates
        # that moto doesn't know.
        more = f"""\
  lambdaRuntime: "{RUNTIME}"
  adminDomainName: "{ADMIN_DOMAIN}"
  adminCertificateArn: "{self._certificate(ADMIN_DOMAIN)}"
  iotProvisioning: "register"
"""
        text = text.replace("Properties:\n", f"Properties:\n{more}", 1)
        text = text.replace("configureJITP: true", "configureJITP: false")
        (self.directory / "config.yaml").write_text(text)

    def _certificate(self, domain):
        ca, key = make_ca("Public CA"), make_key()
        certificate = make_certificate(ca, domain, public_key=key.public_key())
        made = self.client("acm").import_certificate(
            Certificate=certificate.public_bytes(Encoding.PEM),
            PrivateKey=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
        return made["CertificateArn"]

    @property
    def surroundings(self):
        """What a function's process finds beside its own environment."""
        return {"AWS_ENDPOINT_URL": self.url, **CREDENTIALS}

    def run(self, program, *arguments, expects=0):
        """Run ``zappa`` or ``manage.py`` where manage.py is; returns what it printed."""
        programs = {
            "zappa": [str(Path(sys.executable).parent / "zappa")],
            "manage.py": [sys.executable, "manage.py"],
        }
        elsewhere = ("EST_", "DATABASE_", "AWS_", "DJANGO_")
        kept = {n: v for n, v in os.environ.items() if not n.startswith(elsewhere)}
        done = subprocess.run(
            [*programs[program], *arguments],
            cwd=ROOT,
            env={
                **kept,
                **self.surroundings,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "EST_CONFIG": str(self.directory / "config.yaml"),
                "EST_DATA_DIR": str(self.directory / "var"),
                "DATABASE_URL": self.database_url,
                "VIRTUAL_ENV": sys.prefix,
            },
            capture_output=True,
            text=True,
            timeout=10 * MINUTES,
        )
        assert done.returncode == expects, done.stdout + done.stderr
        return done.stdout

    def invoke(self, function, event):
        """What a function answers, and whether it failed."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), bool(answer.get("FunctionError"))

    def secret(self, name):
        """A secret's text."""
        return self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
