"""An account that moto plays, with what an operator has before deploying, and their programs."""

import base64
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from estserver.config import load_config
from estserver.deploy.deployment import Deployment
from estserver.deploy.lambda_signers import for_lambda
from tests.estserver.deploy import moto_gaps, moto_iot, moto_lambda, warm_functions
from tests.estserver.deploy.account import ACCOUNT, DOMAIN, REGION, world
from tests.estserver.deploy.iam import recorder
from tests.estserver.deploy.packages import ROOT, RUNTIME
from tests.support.builders import make_ca, make_certificate, make_key
from tests.support.est_client import ESTClient

EST, ADMIN = "est-server-est", "est-server-admin"
ADMIN_DOMAIN = "admin.example.com"
SAMPLE = ROOT / "config" / "config-sample-all-generated.yaml"
MINUTES = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True)
class Cloud:
    """The account, and a directory with the operator's configuration."""

    url: str
    directory: Path
    database_url: str = ""
    """The database that the operator names; "" for none."""
    led_by: dict = field(default_factory=dict)
    """Variables that lead every process to the database that a test plays."""

    def client(self, service):
        """A boto3 client of it."""
        names = {name.lower(): value for name, value in CREDENTIALS.items()}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **names)

    def prepare(self):
        """What people have before they deploy: a zone, certificates; then the sample, filled in."""
        self.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        self._configuration.write_text(SAMPLE.read_text())
        self.configure(apiCustomDomainName=DOMAIN, apiCertificateArn=self._certificate(DOMAIN))
        # Beyond the sample: this Python, and a domain for people.
        self.configure(
            lambdaRuntime=RUNTIME,
            adminDomainName=ADMIN_DOMAIN,
            adminCertificateArn=self._certificate(ADMIN_DOMAIN),
        )

    def configure(self, **values):
        """Set properties in the configuration."""
        text = self._configuration.read_text()
        for key, value in values.items():
            text = re.sub(rf"(?m)^  {key}: .*\n", "", text)
            text = text.replace("Properties:\n", f"Properties:\n  {key}: {json.dumps(value)}\n", 1)
        self._configuration.write_text(text)

    @property
    def deployment(self):
        """The installation, as the commands know it."""
        environ = {
            "EST_DATA_DIR": str(self.directory / "var"),
            "DATABASE_URL": self.database_url,
        }
        config = for_lambda(load_config(self._configuration, environ=environ))
        return Deployment(config, ACCOUNT, REGION)

    @property
    def _configuration(self):
        return self.directory / "config.yaml"

    def _certificate(self, domain):
        ca, key = make_ca("Public CA"), make_key()
        certificate = make_certificate(ca, domain, public_key=key.public_key())
        made = self.client("acm").import_certificate(
            Certificate=certificate.public_bytes(Encoding.PEM),
            PrivateKey=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
        moto_gaps.make_public(made["CertificateArn"])
        return made["CertificateArn"]

    @property
    def surroundings(self):
        """What a function's process finds beside its own environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            **CREDENTIALS,
            recorder.FILE: str(self.recorded),
            **self.led_by,
        }

    @property
    def recorded(self):
        """The file in which the recorder keeps what the programs and functions ask of AWS."""
        return self.directory / "calls.jsonl"

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
                "EST_CONFIG": str(self._configuration),
                "EST_DATA_DIR": str(self.directory / "var"),
                **({"DATABASE_URL": self.database_url} if self.database_url else {}),
                "VIRTUAL_ENV": sys.prefix,
                "PYTHONPATH": str(Path(recorder.__file__).with_name("in_children")),
                recorder.PRINCIPAL: "remover" if "aws_destroy" in arguments else "deployer",
            },
            capture_output=True,
            text=True,
            timeout=30 * MINUTES,
        )
        assert done.returncode == expects, done.stdout + done.stderr
        return done.stdout

    def invoke(self, function, event):
        """What a function answers, and whether it failed."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), bool(answer.get("FunctionError"))

    def run_schedule(self, path):
        """Send what EventBridge does when the rule for the function ``path`` is due, as Zappa
        made it.
        """
        events = self.client("events")
        function = self.client("lambda").get_function_configuration(FunctionName=ADMIN)
        arn = f"{function['FunctionArn']}:live"
        names = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
        (name,) = (name for name in names if name.endswith(path))
        rule = events.describe_rule(Name=name)
        assert rule["State"] == "ENABLED"
        (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
        event = {
            "version": "0",
            "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": "2030-01-01T00:00:00Z",
            "region": REGION,
            "resources": [rule["Arn"]],
            "detail": {},
        }
        text = target["InputTransformer"]["InputTemplate"]
        for variable, place in target["InputTransformer"]["InputPathsMap"].items():
            text = text.replace(f"<{variable}>", json.dumps(event[place.removeprefix("$.")]))
        answer, is_failure = self.invoke(target["Arn"], json.loads(text))
        assert not is_failure, answer

    def held(self):
        """What the account holds of the kinds that a deployment makes."""
        iot = self.client("iot")
        cas = iot.list_ca_certificates()["certificates"]
        templates = iot.list_provisioning_templates()["templates"]
        secrets = self.client("secretsmanager").list_secrets()["SecretList"]
        return {
            **world(self.client),
            "schedules": [rule["Name"] for rule in self.client("events").list_rules()["Rules"]],
            "secrets": [secret["Name"] for secret in secrets],
            "IoT CAs": [ca["certificateId"] for ca in cas],
            "IoT policies": [policy["policyName"] for policy in iot.list_policies()["policies"]],
            "IoT templates": [template["templateName"] for template in templates],
        }

    def ask(self, event, function=EST):
        """Status, headers and body of a function's answer to a request."""
        answer, is_failure = self.invoke(function, event)
        assert not is_failure, answer
        body = answer.get("body") or ""
        data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        headers = {name.lower(): values[-1] for name, values in answer["multiValueHeaders"].items()}
        return answer["statusCode"], headers, data

    def rights(self, function):
        """The actions that a function's role allows."""
        arn = self.client("lambda").get_function_configuration(FunctionName=function)["Role"]
        policy = self.client("iam").get_role_policy(
            RoleName=arn.rpartition("/")[2], PolicyName="est-server"
        )["PolicyDocument"]
        return {action for statement in policy["Statement"] for action in statement["Action"]}

    def secret(self, name):
        """A secret's text."""
        return self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]

    @property
    def first_client(self):
        """An EST client with the first client's certificate, which the deployment made."""
        pem = json.loads(self.secret("estMtlsClientSecrets"))["certificate"]
        return ESTClient(x509.load_pem_x509_certificate(pem.encode()))


@contextmanager
def prepared_cloud(moto_server, directory, **database):
    """Empty the account, and yield a cloud with what people have before they deploy.

    While the block lasts, the functions that moto runs find this account and its database.
    """
    with pytest.MonkeyPatch.context() as patch:
        moto_iot.fill(patch)
        moto_server.reset()
        cloud = Cloud(moto_server.url, directory, **database)
        cloud.prepare()
        patch.setattr(moto_lambda, "surroundings", cloud.surroundings)
        try:
            yield cloud
        finally:
            warm_functions.end_all()
