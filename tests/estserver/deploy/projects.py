"""Installations by their project's name, which may stand side by side in one account."""

from dataclasses import replace

import pytest

from estserver.deploy.engine.runs import carry_out
from estserver.deploy.lifecycle import deploy
from estserver.deploy.recipe import finishing
from pki.aws.clients import aws_client
from pki.signers import get_signer
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import ACM, CONFIG, zappa_deploy

DEFAULT, STAGING = "est-server", "staging"


def text_of(project, *, properties="", options=""):
    """The configuration of a project, with domains of its own."""
    host = "example.com" if project == DEFAULT else f"{project}.example.com"
    text = (
        CONFIG.replace("example.com", host)
        .replace(f"{ACM}/", f"{ACM}/{project}-")
        .replace(
            "  deviceCaSigner: secretsmanager",
            f"  deviceCaSigner: secretsmanager\n  clientCaSigner: secretsmanager\n{properties}",
        )
    )
    return f"{text}  projectName: {project}\n{options}"


@pytest.fixture
def project(aws_cloud, configured, installation, settings):
    """Turn to a project, as its operator: the configuration, and the settings of its functions."""
    aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")

    def turn_to(name, **more):
        deployment = configured(text_of(name, **more))
        for domain in deployment.domains:
            moto_gaps.issue_certificate(domain.certificate_arn, domain.name)
        values = deployment.config.properties
        settings.PKI = replace(
            settings.PKI,
            project_name=name,
            tags=deployment.config.resource_tags,
            signers={"secretsmanager": deployment.config.signer_settings()["secretsmanager"]},
            device_ca=replace(
                settings.PKI.device_ca,
                signer="secretsmanager",
                certificate_secret_name=values.iot_core_est_ca_cert_secret_name,
                key_secret_name=values.iot_core_est_ca_key_secret_name,
            ),
            client_ca=replace(
                settings.PKI.client_ca,
                signer="secretsmanager",
                secret_name=values.est_mtls_ca_secrets_name,
            ),
        )
        get_signer.cache_clear()
        return deployment

    yield turn_to
    get_signer.cache_clear()


@pytest.fixture
def deployed(project, said, clock, performer):
    """Deploy a project, whose functions then make its device CA's key."""

    def make(name, key, **more):
        deployment = project(name, **more)
        deploy.prepare(say=said, clock=clock)
        for stage in ("admin", "est"):
            zappa_deploy(deployment, stage)
            carry_out(finishing(deployment, stage), performer)
        signer = get_signer("secretsmanager")
        signer.store(deployment.config.properties.iot_core_est_ca_key_secret_name, key)
        return deployment

    return make
