"""Values that are right by themselves and wrong together, and values that follow from others."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string

from estserver.config.class_paths import HOOKS, SIGNERS, class_path_problem
from estserver.config.database import DSQL, database_settings
from estserver.config.database_choice import takes_cluster
from estserver.config.deployment_keys import DeploymentOptions
from estserver.config.entries import DEFAULT_SIGNERS, EXTERNAL_SIGNER, SignerConfig
from estserver.config.errors import ConfigError
from estserver.config.keys import Properties
from estserver.config.project_names import NAMED_BY_PROJECT, default_names
from estserver.config.sections import Section, keys_of
from estserver.config.yaml import KeyPath, Problem, YamlDocument, dotted
from pki.aws.ownership import MADE_BY
from pki.choices import IdentityRule

EXTERNAL = "external"


def database_problems(properties: Properties, data_dir: Path) -> tuple[str, ...]:
    """Return what is wrong with the database that ``properties`` name."""
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
class Consistency:
    """Both sections beside each other, for what one key means to another."""

    properties: Section[Properties]
    deployment: Section[DeploymentOptions]
    document: YamlDocument

    def problems(self, data_dir: Path) -> Iterator[Problem]:
        """Yield what is wrong with values that are right by themselves."""
        yield from self._class_path_problems()
        yield from self._device_ca_problems()
        yield from self._signer_problems()
        yield from self._identity_problems()
        yield from self._timeout_problems()
        yield from self._tag_problems()
        yield from self._domain_problems()
        yield from self._vpc_problems()
        yield from self._database_problems()
        yield from self._notice_problems()
        yield from self._target_problems()
        for text in database_problems(self.properties.values, data_dir):
            yield self._at(self.properties, "databaseUrl", text)

    def completed_properties(self) -> Properties:
        """Return the values to use: those of the file, and those that follow from others."""
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
            **self._names(),
        )

    def _names(self) -> dict[str, Any]:
        """Return the names that follow from the project's: those that the file does not give."""
        values = self.properties.values
        given = {field.name for key, field in keys_of(Properties).items() if self._is_given(key)}
        names = default_names(
            self.deployment.values.project_name,
            {name: getattr(Properties, name) for name in NAMED_BY_PROJECT},
        )
        return {name: getattr(values, name) if name in given else names[name] for name in names}

    def _is_given(self, key: str) -> bool:
        return key in self.properties.given | self.properties.refused

    def _signers(self) -> dict[str, SignerConfig]:
        values = self.properties.values
        external = {}
        if values.external_signer_class:
            options = {"class": values.external_signer_class}
            external[EXTERNAL] = SignerConfig(backend=EXTERNAL_SIGNER, options=options)
        return {**DEFAULT_SIGNERS, **external, **values.signers}

    def _signs_externally(self) -> bool:
        """Return whether an external PKI signs for the device CA.

        It does if the file names the CA's certificate, and neither its key nor a signer.
        """
        properties, deployment = self.properties, self.deployment
        key_path = "iotCoreCaPrivateKeyPath"
        signer_is_named = "deviceCaSigner" in properties.given | properties.refused
        key_is_here = (
            deployment.values.iot_core_ca_private_key_path != ""
            or key_path in deployment.refused | deployment.placeholders
        )
        certificate_is_here = deployment.values.iot_core_ca_certificate_path != ""
        return certificate_is_here and not key_is_here and not signer_is_named

    def _class_path_problems(self) -> Iterator[Problem]:
        """Yield a class that cannot be, with the one that was probably meant."""
        section, values = self.properties, self.properties.values
        given = values.signers if "signers" in section.given else {}
        for alias, signer in given.items():
            if text := class_path_problem(signer.backend, SIGNERS):
                yield self._at(section, "signers", text, alias, "BACKEND")
        for key, path, known in (
            ("externalSignerClass", values.external_signer_class, ()),
            ("enrollmentHookClass", values.enrollment_hook_class, HOOKS),
        ):
            if path and (text := class_path_problem(path, known)):
                yield self._at(section, key, text)

    def _signer_has_own_ca(self) -> bool:
        """Return whether the device CA's signer may have a CA already. bootstrap_cas asks it."""
        alias = self.properties.values.device_ca_signer
        signer = self._signers().get(alias)
        if signer is None:
            return alias != EXTERNAL
        try:
            signer_class = import_string(signer.backend)
        except Exception:  # noqa: BLE001  # a customer's module; the check pki.E001 reports it
            return True
        return bool(getattr(signer_class, "has_own_ca", True))

    def _device_ca_problems(self) -> Iterator[Problem]:
        deployment = self.deployment
        # The warning about a placeholder says enough: the samples load as they are.
        if "iotCoreCaCertificatePath" in deployment.refused | deployment.placeholders:
            return
        if deployment.values.iot_core_ca_certificate_path:
            return
        if deployment.values.iot_core_ca_private_key_path:
            text = (
                "It is set without iotCoreCaCertificatePath. Name the certificate of this key too."
            )
            yield self._at(deployment, "iotCoreCaPrivateKeyPath", text)
        # The signer's class is imported only if its answer matters, because that takes a while.
        if not deployment.values.generate_iot_ca_certificate and not self._signer_has_own_ca():
            text = (
                "It is false, and iotCoreCaCertificatePath is not set. Set that path, or set this "
                "to true."
            )
            yield self._at(deployment, "generateIotCaCertificate", text)

    def _signer_problems(self) -> Iterator[Problem]:
        if self.properties.refused & {"signers", "externalSignerClass"}:
            return
        values = self.properties.values
        if values.external_signer_class and EXTERNAL in values.signers:
            line = self.document.lines["Properties", "signers", EXTERNAL]
            text = (
                f"It defines signers.{EXTERNAL}, which line {line} does too. Keep one of the two."
            )
            yield self._at(self.properties, "externalSignerClass", text)
        aliases = self._signers()
        for key, alias in (
            ("clientCaSigner", values.client_ca_signer),
            ("deviceCaSigner", values.device_ca_signer),
        ):
            if alias not in aliases and key not in self.properties.refused:
                text = f'Found "{alias}", wanted a signer that is defined: {", ".join(aliases)}.'
                yield self._at(self.properties, key, text)
        if self._signs_externally() and EXTERNAL not in aliases:
            text = (
                "It is set without iotCoreCaPrivateKeyPath, so that an external PKI must sign. "
                "Name the key's file, or set Properties.externalSignerClass or "
                "Properties.deviceCaSigner."
            )
            yield self._at(self.deployment, "iotCoreCaCertificatePath", text)

    def _identity_problems(self) -> Iterator[Problem]:
        if self.properties.refused & {"identityRule", "identityPattern"}:
            return
        values = self.properties.values
        if not values.identity_pattern:
            if values.identity_rule == IdentityRule.PATTERN:
                text = "The rule pattern needs identityPattern. Set it, or choose another rule."
                yield self._at(self.properties, "identityRule", text)
            return
        try:
            pattern = re.compile(values.identity_pattern)
        except re.error as error:
            text = f"This is not a regular expression ({error}). Correct it."
            yield self._at(self.properties, "identityPattern", text)
            return
        if values.identity_rule == IdentityRule.PATTERN and "name" not in pattern.groupindex:
            text = "There is no group (?P<name>...). Put it around the part that is the thing name."
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
            text = f"{gateway} is more than {lambda_key}, which is {function}. Lower it."
            yield self._at(self.properties, gateway_key, text)
        else:
            text = f"{function} is less than {gateway_key}, by default {gateway}. Lower that too."
            yield self._at(self.properties, lambda_key, text)

    def _tag_problems(self) -> Iterator[Problem]:
        uses = Counter(tag.key for tag in self.deployment.values.tags)
        if MADE_BY in uses:
            text = f'The tag "{MADE_BY}" belongs to this server. Leave it out.'
            yield self._at(self.deployment, "tags", text)
        for key in (key for key, count in uses.items() if count > 1):
            text = f'The tag "{key}" is given twice. Keep one.'
            yield self._at(self.deployment, "tags", text)

    def _domain_problems(self) -> Iterator[Problem]:
        """Yield a domain that two doors share.

        What mutual TLS guards must have no second name that goes round it (threat T03).
        """
        values = self.properties.values
        doors = {
            "apiCustomDomainName": values.api_custom_domain_name,
            "bootstrapDomainName": values.bootstrap_domain_name,
            "adminDomainName": values.admin_domain_name,
        }
        taken: dict[str, str] = {}
        for key, name in doors.items():
            if name and (other := taken.setdefault(name.lower(), key)) != key:
                text = f"{name} is the domain of {other} too. Give each a name of its own."
                yield self._at(self.properties, key, text)

    def _vpc_problems(self) -> Iterator[Problem]:
        subnets, groups = "vpcSubnetIds", "vpcSecurityGroupIds"
        if {subnets, groups} & self.deployment.refused:
            return
        for key, other in ((subnets, groups), (groups, subnets)):
            if key in self.deployment.given and other not in self.deployment.given:
                yield self._at(
                    self.deployment, key, f"It is set without {other}. A VPC takes both."
                )

    def _database_problems(self) -> Iterator[Problem]:
        """Yield what says the same as `database`, and may say otherwise."""
        choice = self.properties.values.database
        if self.properties.values.database_kms_key_arn and not takes_cluster(
            self.properties.values
        ):
            text = (
                "It encrypts the cluster that the deployment makes, and the database is another. "
                "Leave it out, or set database: dsql."
            )
            yield self._at(self.properties, "databaseKmsKeyArn", text)
        if not choice:
            return
        others: dict[str, object] = {
            "databaseUrl": self.properties.values.database_url,
            "databaseSecretName": self.properties.values.database_secret_name,
        }
        if choice != DSQL:  # functions in a VPC reach a cluster, through NAT or an endpoint
            others["vpcSubnetIds"] = self.deployment.values.vpc_subnet_ids
            others["vpcSecurityGroupIds"] = self.deployment.values.vpc_security_group_ids
        for key in (key for key, value in others.items() if value):
            text = f"It is {choice}, which names {key} itself. Leave out one of the two."
            yield self._at(self.properties, "database", text)

    def _notice_problems(self) -> Iterator[Problem]:
        values = self.properties.values
        if values.notice_emails and not values.smtp_host:
            text = "It takes a mail server. Set smtpHost."
            yield self._at(self.properties, "noticeEmails", text)
        if values.smtp_password_secret_name and not values.smtp_user:
            text = "It is the password of nobody. Set smtpUser."
            yield self._at(self.properties, "smtpPasswordSecretName", text)

    def _target_problems(self) -> Iterator[Problem]:
        uses = Counter(target.name for target in self.properties.values.iot_targets)
        for name in (name for name, count in uses.items() if count > 1):
            text = f'The target "{name}" is there twice. Give each a name of its own.'
            yield self._at(self.properties, "iotTargets", text)

    def _at(
        self,
        section: Section[Properties] | Section[DeploymentOptions],
        key: str,
        text: str,
        *below: str,
    ) -> Problem:
        """Return a problem with ``key``, or with what is ``below`` it."""
        path: KeyPath = (section.name, key, *below)
        return Problem(self.document.lines.get(path, 0), dotted(path), text)
