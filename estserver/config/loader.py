"""Reads and validates the configuration; `estserver.config.load_config` is the way in.

Every problem is collected before anything is refused, so that an operator mends a file once and
not once per error.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from django.utils.module_loading import import_string

from estserver.config.database import database_settings
from estserver.config.errors import ConfigError
from estserver.config.keys import (
    DEFAULT_SIGNERS,
    EXTERNAL_SIGNER,
    DeploymentOptions,
    Properties,
    SignerConfig,
)
from estserver.config.sections import Section, check_top_level, read_section
from estserver.config.values import MADE_BY, PROJECT_ROOT, Config, data_directory
from estserver.config.yaml import Problem, YamlDocument, dotted, read_yaml
from pki.choices import IdentityRule

NO_FILE = (
    "There is no configuration file, so every setting has its default; to change one, copy "
    "config/config-sample-all-generated.yaml to config/config.yaml."
)
EXTERNAL = "external"


def read_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """What `load_config` promises."""
    source = _source(path, environ)
    data_dir = data_directory(environ)
    document = read_yaml(source) if source else YamlDocument(None, {}, ())
    properties = read_section("Properties", Properties, document)
    deployment = read_section("DeploymentOptions", DeploymentOptions, document)
    reading = _Reading(properties, deployment, document)

    file_name = source.name if source else ""
    problems = [
        problem.render(file_name)
        for problem in sorted(
            [
                *document.problems,
                *check_top_level(document),
                *properties.problems,
                *deployment.problems,
                *reading.inconsistencies(data_dir),
            ]
        )
    ]
    values = reading.completed_properties()
    if environ.get("DATABASE_URL"):
        values = replace(values, database_url=environ["DATABASE_URL"], database_secret_name="")
        problems += [f"DATABASE_URL: {text}" for text in _database_problems(values, data_dir)]
    if problems:
        raise ConfigError(*problems)

    warnings = sorted([*properties.warnings, *deployment.warnings])
    return Config(
        properties=values,
        deployment=deployment.values,
        source=source,
        data_dir=data_dir,
        warnings=tuple(warning.render(file_name) for warning in warnings) if source else (NO_FILE,),
        given=tuple(sorted(properties.given)),
    )


def _source(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read; None when nobody named one and the usual one doesn't exist."""
    if path is not None:
        return path
    if named := environ.get("EST_CONFIG"):
        return PROJECT_ROOT / named
    usual = PROJECT_ROOT / "config" / "config.yaml"
    return usual if usual.exists() else None


def _database_problems(properties: Properties, data_dir: Path) -> tuple[str, ...]:
    try:
        database_settings(
            properties.database_url,
            data_dir=data_dir,
            secret_name=properties.database_secret_name,
        )
    except ConfigError as error:
        return error.problems
    return ()


@dataclass(frozen=True)
class _Reading:
    """Both sections beside each other: what one key means for another."""

    properties: Section[Properties]
    deployment: Section[DeploymentOptions]
    document: YamlDocument

    def inconsistencies(self, data_dir: Path) -> Iterator[Problem]:
        """Yield values that are right by themselves and wrong together."""
        yield from self._device_ca_problems()
        yield from self._signer_problems()
        yield from self._identity_problems()
        yield from self._timeout_problems()
        yield from self._tag_problems()
        yield from self._domain_problems()
        yield from self._vpc_problems()
        yield from self._target_problems()
        for text in _database_problems(self.properties.values, data_dir):
            yield self._at(self.properties, "databaseUrl", text)

    def completed_properties(self) -> Properties:
        """The properties with what follows from others filled in."""
        values = self.properties.values
        hosts = values.allowed_hosts
        domain = values.api_custom_domain_name
        if domain and domain not in hosts:
            hosts = (*hosts, domain)
        return replace(
            values,
            allowed_hosts=hosts,
            signers=self._signers(),
            device_ca_signer=EXTERNAL if self._signs_externally() else values.device_ca_signer,
        )

    def _signers(self) -> dict[str, SignerConfig]:
        values = self.properties.values
        external = {}
        if values.external_signer_class:
            options = {"class": values.external_signer_class}
            external[EXTERNAL] = SignerConfig(backend=EXTERNAL_SIGNER, options=options)
        return {**DEFAULT_SIGNERS, **external, **values.signers}

    def _signs_externally(self) -> bool:
        """A device CA whose key isn't here, and no word of who signs: an external PKI does."""
        properties, deployment = self.properties, self.deployment
        key_path = "iotCoreCaPrivateKeyPath"
        signer_is_named = "deviceCaSigner" in properties.given | properties.refused
        key_is_here = (
            deployment.values.iot_core_ca_private_key_path != ""
            or key_path in deployment.refused | deployment.placeholders
        )
        certificate_is_here = deployment.values.iot_core_ca_certificate_path != ""
        return certificate_is_here and not key_is_here and not signer_is_named

    def _device_ca_problems(self) -> Iterator[Problem]:
        deployment = self.deployment
        # The warning about a placeholder says enough: the samples load as they are.
        if "iotCoreCaCertificatePath" in deployment.refused | deployment.placeholders:
            return
        if deployment.values.iot_core_ca_certificate_path:
            return
        if deployment.values.iot_core_ca_private_key_path:
            text = "set without iotCoreCaCertificatePath; name the certificate of this key too"
            yield self._at(deployment, "iotCoreCaPrivateKeyPath", text)
        if not deployment.values.generate_iot_ca_certificate and not self._signer_has_own_ca():
            text = "false without iotCoreCaCertificatePath; set that path, or set this to true"
            yield self._at(deployment, "generateIotCaCertificate", text)

    def _signer_has_own_ca(self) -> bool:
        """Whether the device CA's signer may have the CA already. bootstrap_cas asks it then."""
        alias = self.properties.values.device_ca_signer
        signer = self._signers().get(alias)
        if signer is None:
            return alias != EXTERNAL
        try:
            signer_class = import_string(signer.backend)
        except Exception:  # noqa: BLE001  # a customer's module; the check pki.E001 reports it
            return True
        return bool(getattr(signer_class, "has_own_ca", True))

    def _signer_problems(self) -> Iterator[Problem]:
        if self.properties.refused & {"signers", "externalSignerClass"}:
            return
        values = self.properties.values
        if values.external_signer_class and EXTERNAL in values.signers:
            line = self.document.lines["Properties", "signers", EXTERNAL]
            text = f"defines signers.{EXTERNAL}, which line {line} does too; keep one of the two"
            yield self._at(self.properties, "externalSignerClass", text)
        aliases = self._signers()
        for key, alias in (
            ("clientCaSigner", values.client_ca_signer),
            ("deviceCaSigner", values.device_ca_signer),
        ):
            if alias not in aliases and key not in self.properties.refused:
                text = f'found "{alias}", wanted a signer that is defined: {", ".join(aliases)}'
                yield self._at(self.properties, key, text)
        if self._signs_externally() and EXTERNAL not in aliases:
            text = (
                "set without iotCoreCaPrivateKeyPath, so that an external PKI must sign; name "
                "the key's file, or set Properties.externalSignerClass or Properties.deviceCaSigner"
            )
            yield self._at(self.deployment, "iotCoreCaCertificatePath", text)

    def _identity_problems(self) -> Iterator[Problem]:
        if self.properties.refused & {"identityRule", "identityPattern"}:
            return
        values = self.properties.values
        if not values.identity_pattern:
            if values.identity_rule == IdentityRule.PATTERN:
                text = "the rule pattern needs identityPattern; set it, or choose another rule"
                yield self._at(self.properties, "identityRule", text)
            return
        try:
            pattern = re.compile(values.identity_pattern)
        except re.error as error:
            text = f"not a regular expression ({error}); correct it"
            yield self._at(self.properties, "identityPattern", text)
            return
        if values.identity_rule == IdentityRule.PATTERN and "name" not in pattern.groupindex:
            text = "no group (?P<name>...); put it around the part that is the thing name"
            yield self._at(self.properties, "identityPattern", text)

    def _timeout_problems(self) -> Iterator[Problem]:
        gateway_key, lambda_key = "apiGatewayIntegrationTimeoutSeconds", "lambdaTimeoutSeconds"
        if self.properties.refused & {gateway_key, lambda_key}:
            return
        values = self.properties.values
        gateway, function = (
            values.api_gateway_integration_timeout_seconds,
            values.lambda_timeout_seconds,
        )
        if gateway <= function:
            return
        if gateway_key in self.properties.given:
            text = f"{gateway} is more than {lambda_key}, which is {function}; lower it"
            yield self._at(self.properties, gateway_key, text)
        else:
            text = f"{function} is less than {gateway_key}, by default {gateway}; lower that too"
            yield self._at(self.properties, lambda_key, text)

    def _tag_problems(self) -> Iterator[Problem]:
        uses = Counter(tag.key for tag in self.deployment.values.tags)
        if MADE_BY in uses:
            yield self._at(self.deployment, "tags", f'the tag "{MADE_BY}" is ours; leave it out')
        for key in (key for key, count in uses.items() if count > 1):
            yield self._at(self.deployment, "tags", f'the tag "{key}" is given twice; keep one')

    def _domain_problems(self) -> Iterator[Problem]:
        """Each domain is one door: what mutual TLS guards must have no second name without it."""
        values = self.properties.values
        doors = {
            "apiCustomDomainName": values.api_custom_domain_name,
            "bootstrapDomainName": values.bootstrap_domain_name,
            "adminDomainName": values.admin_domain_name,
        }
        taken: dict[str, str] = {}
        for key, name in doors.items():
            if name and (other := taken.setdefault(name.lower(), key)) != key:
                text = f"{name} is the domain of {other} too; give each a name of its own"
                yield self._at(self.properties, key, text)

    def _vpc_problems(self) -> Iterator[Problem]:
        subnets, groups = "vpcSubnetIds", "vpcSecurityGroupIds"
        if {subnets, groups} & self.deployment.refused:
            return
        for key, other in ((subnets, groups), (groups, subnets)):
            if key in self.deployment.given and other not in self.deployment.given:
                yield self._at(self.deployment, key, f"set without {other}; a VPC takes both")

    def _target_problems(self) -> Iterator[Problem]:
        uses = Counter(target.name for target in self.properties.values.iot_targets)
        for name in (name for name, count in uses.items() if count > 1):
            text = f'the target "{name}" is there twice; give each a name of its own'
            yield self._at(self.properties, "iotTargets", text)

    def _at(
        self, section: Section[Properties] | Section[DeploymentOptions], key: str, text: str
    ) -> Problem:
        line = self.document.lines.get((section.name, key), 0)
        return Problem(line, dotted((section.name, key)), text)
