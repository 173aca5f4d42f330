"""What the account lacks for a deployment: certificates, quotas. It is asked before any change."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string

from estserver.config import PROJECT_ROOT
from estserver.deploy.account.database_key import database_key_problem
from estserver.deploy.account.database_secret import database_secret_problem
from estserver.deploy.deployment import ACM_ARN_REGION, Deployment, Domain
from estserver.deploy.engine.calls import ask, ask_all
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.operators.errors import RemoteFailure

FEW_AT_ONCE = 50
"""A new account may have a quota of 10 executions at once, in place of 1000.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
DOMAINS_QUOTA = 120
"""Public custom domains in an account and region, unless AWS has raised it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""
_PUBLIC = "AMAZON_ISSUED"


def account_problems(deployment: Deployment) -> Iterator[str]:
    """Yield what would make a deployment fail, as phrases with what to do. Changes nothing."""
    for domain in deployment.domains:
        if domain.certificate_arn:
            yield from _certificate_problems(deployment, domain)
    yield from _class_problems(deployment)
    for problem in (database_secret_problem(deployment), database_key_problem(deployment)):
        if problem:
            yield problem
    if _limits().get("UnreservedConcurrentExecutions", 1) <= 0:
        yield (
            "Lambda has no execution left for these functions, because other functions reserve "
            'all of them (release some, or have the quota "Concurrent executions" raised in '
            "Service Quotas)"
        )


def account_notes(deployment: Deployment) -> Iterator[str]:
    """Yield sentences on quotas that are near."""
    at_once = _limits().get("ConcurrentExecutions", FEW_AT_ONCE)
    if at_once < FEW_AT_ONCE:
        yield (
            f"Lambda runs at most {at_once} executions at once in this account and region, for all "
            'functions together. Have the quota "Concurrent executions" raised in Service Quotas '
            "before a fleet calls."
        )
    held = {each["domainName"] for each in ask_all("apigateway", "GetDomainNames", "items")}
    missing = [domain.name for domain in deployment.domains if domain.name not in held]
    if missing and len(held) + len(missing) > DOMAINS_QUOTA:
        yield (
            f"The region has {len(held)} custom domains, and API Gateway takes {DOMAINS_QUOTA} "
            f"unless AWS has raised that. {', '.join(missing)} may be refused."
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to look at the account, and to fetch the test client's files."""
    values = deployment.config.properties
    names = (values.est_mtls_client_secrets_name, values.est_mtls_client_pfx_secret_name)
    # Secrets Manager adds six characters to a secret's name in its ARN.
    arns = [deployment.arn("secretsmanager", f"secret:{name}-??????") for name in names]
    return ResourceRights(
        look=["lambda:GetAccountSettings"],
        deploy=[allow("TestClientFiles", ["secretsmanager:GetSecretValue"], arns)],
    )


def _limits() -> Mapping[str, int]:
    limits: Mapping[str, int] = ask("lambda", "GetAccountSettings").get("AccountLimit", {})
    return limits


def _certificate_problems(deployment: Deployment, domain: Domain) -> Iterator[str]:
    held = None
    for key, arn in domain.certificates.items():
        if arn.split(":")[ACM_ARN_REGION] != deployment.region:
            continue  # a problem of the configuration, which is reported as such
        try:
            found = ask("acm", "DescribeCertificate", CertificateArn=arn)["Certificate"]
        except RemoteFailure as error:
            if error.code == "ResourceNotFoundException":
                yield f"{key} is not in ACM (request or import it, and set the ARN)"
            else:
                yield f"{key} cannot be read: {str(error).rstrip('.')}"
            continue
        if key == domain.certificate_key:
            held = found
        if found["Status"] != "ISSUED":
            yield f"{key} is {found['Status']} (finish its validation in ACM, or renew it)"
        names = [found["DomainName"], *found.get("SubjectAlternativeNames", ())]
        if not covers(names, domain.name):
            yield f"{key} is for {', '.join(sorted({*names}))}, and not for {domain.name}"
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
    if held and domain.is_mutual_tls and not domain.ownership_certificate_arn:
        yield from _ownership_problem(domain, held)


def _ownership_problem(domain: Domain, held: Mapping[str, Any]) -> Iterator[str]:
    kind = held.get("Type", _PUBLIC)
    if kind != _PUBLIC:
        yield (
            f"{domain.certificate_key} is {kind}, and mutual TLS with such a certificate takes a "
            f"public one of ACM beside it (set apiOwnershipVerificationCertificateArn to one for "
            f"{domain.name})"
        )


def covers(names: Sequence[str], host: str) -> bool:
    """Whether a certificate with these names is for a host. ``*`` stands for one label."""
    _, _, parent = host.lower().partition(".")
    return any(name.lower() in (host.lower(), f"*.{parent}") for name in names)


def _class_problems(deployment: Deployment) -> Iterator[str]:
    """Classes that cannot be, or that a package would lack: it takes what is beside manage.py."""
    values = deployment.config.properties
    paths = {
        "enrollmentHookClass": values.enrollment_hook_class,
        "externalSignerClass": values.external_signer_class,
        **{f"signers.{alias}.BACKEND": each.backend for alias, each in values.signers.items()},
    }
    for key, path in paths.items():
        if not path:
            continue
        try:
            import_string(path)
        except Exception as error:  # noqa: BLE001 - a customer's module may raise anything
            yield f"{key} is {path}, which cannot be imported: {str(error).rstrip('.')}"
            continue
        top = path.partition(".")[0]
        spec = find_spec(top)
        if spec is None:
            continue
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        if not any(Path(place).is_relative_to(PROJECT_ROOT) for place in places):
            yield (
                f"{key} is {path}, which no package would hold (put {top} beside manage.py, with "
                "an __init__.py)"
            )
