"""The CAs' keys in KMS. Deployments make them, because no function may (threat T55)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from estserver.deploy.deployment import KEY_DELETION_DAYS, Deployment
from estserver.deploy.engine.calls import Answer, Call
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.lambda_signers import signers_in_use
from estserver.deploy.rights.key_lookup import (
    DELETED,
    SeenKey,
    ca_keys,
    every_tagged_key,
    has_keys_in_kms,
    key_regions,
    makes_keys_in_kms,
    names_key_of_secrets,
)
from estserver.deploy.rights.keys_in_use import CAKey, region_of
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag
from pki.operators.errors import OperatorError
from pki.signers.kms.made_keys import KEY_SPECS, alias_in, creation, key_name


@dataclass(frozen=True)
class CAKeyToMake(Step[tuple[CAKey, ...]]):
    """One key with its alias, which is there before the CA is made that will have it."""

    deployment: Deployment
    key: str
    """The key's name: ``device/device-ca``."""
    key_algorithm: str
    region: str = ""
    """The region that the signer's OPTIONS name; "" for the deployment's."""
    is_first: bool = True
    """Whether it is for the first CA of its purpose. It is not needed when that CA has a key."""

    advice: ClassVar[Mapping[str, str]] = {
        "AlreadyExistsException": "A key of that name is there, which was not made by this tool. "
        "Delete that alias, or set another DeploymentOptions.projectName.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"CA key {self.key}"

    @property
    def alias(self) -> str:
        """The key's alias."""
        return alias_in(self.deployment.project, self.key)

    def look(self) -> tuple[CAKey, ...]:
        """Read this installation's keys for CAs."""
        return ca_keys(self.deployment, self.region)

    def plan(self, seen: tuple[CAKey, ...]) -> Plan:
        """Make key and alias.

        Raises ``OperatorError`` for a key of that name that the CA could not use.
        """
        purpose = self.key.partition("/")[0]
        found = next((key for key in seen if key.alias == self.alias), None)
        if found is None and not (self.is_first and any(k.purpose == purpose for k in seen)):
            return self._make()
        if found is not None and not self.is_first:
            self._check(found)
        return DONE

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Make the key, and wait until KMS lists it. A second look would else make another one.

        https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
        """
        super().apply(plan, performer)
        performer.wait_until(
            lambda: any(key.alias == self.alias for key in self.look()),
            f"KMS does not list the new key {self.alias} yet",
        )

    def _check(self, found: CAKey) -> None:
        spec = KEY_SPECS[self.key_algorithm]
        if found.key_spec != spec or found.state != "Enabled":
            raise OperatorError(
                f"The key {self.alias} is {found.key_spec} and {found.state}, and the CA needs one "
                f"that is {spec} and Enabled. Enable it, or delete its alias so that another is "
                "made."
            )

    def _make(self) -> Plan:
        if self.key_algorithm not in KEY_SPECS:
            raise OperatorError(
                f"KMS makes no CA keys of the kind {self.key_algorithm}. Choose one of "
                f"{', '.join(KEY_SPECS)}, or another signer."
            )
        tags = self.deployment.tags().items()
        made: Any = Answer("kms:CreateKey", "KeyMetadata.KeyId")
        named = {"AliasName": self.alias, "TargetKeyId": made}
        create = creation(self.alias, self.key_algorithm, tags)
        reason = f"there is no key {self.alias}"
        return Plan(
            (
                Call("kms", "CreateKey", reason, create, region=self.region),
                Call("kms", "CreateAlias", "it has no name", named, region=self.region),
            )
        )


def first_keys(deployment: Deployment) -> list[CAKeyToMake]:
    """Return the keys for the CAs that `bootstrap_cas` makes in the admin's function.

    A CA that is imported has its key, and a truststore's CAs sign nothing here.
    """
    values, options = deployment.config.properties, deployment.config.deployment
    algorithms = {}
    if options.generate_iot_ca_certificate and not options.iot_core_ca_certificate_path:
        algorithms["device"] = values.device_ca_key_algorithm
    if not options.m_tls_truststore_certificates_chain_file:
        algorithms["client"] = values.client_ca_key_algorithm
    return [
        CAKeyToMake(
            deployment,
            key_name(purpose, f"{purpose}-ca"),
            algorithms[purpose],
            region_of(deployment, used),
        )
        for used in signers_in_use(deployment.config)
        if makes_keys_in_kms(used)
        for purpose in used.purposes
        if purpose in algorithms
    ]


def key_for_successor(
    deployment: Deployment, signer: str, key: str, key_algorithm: str
) -> CAKeyToMake:
    """Return the step for a successor's key, as `ca_successor --key` names it.

    Raises ``OperatorError`` for a signer whose keys a deployment does not make.
    """
    in_use = signers_in_use(deployment.config)
    used = next((each for each in in_use if each.alias == signer), None)
    if used is None or not makes_keys_in_kms(used):
        raise OperatorError(
            f"The signer {signer!r} has no keys that aws_deploy makes: it is neither "
            "deviceCaSigner nor clientCaSigner, names its key, works in another account, or is no "
            "signer of KMS. If it makes or names its keys, run ca_successor without this step. "
            "Otherwise correct the configuration."
        )
    region = region_of(deployment, used)
    return CAKeyToMake(deployment, key, key_algorithm, region, is_first=False)


@dataclass(frozen=True)
class CAKeys(Step[tuple[SeenKey, ...]]):
    """All signing keys that carry the installation's tag, for `aws_destroy`.

    Those of successors are among them, and those that no signer in use names any more.
    """

    deployment: Deployment
    severity = "WARN"
    name = "CA keys in KMS"

    def look(self) -> tuple[SeenKey, ...]:
        """Read each tagged key whose deletion is not scheduled."""
        return tuple(
            key
            for region in key_regions(self.deployment)
            for key in every_tagged_key(self.deployment, region)
            if key.usage == "SIGN_VERIFY" and key.state != DELETED
        )

    def plan(self, seen: tuple[SeenKey, ...]) -> Plan:
        """Return nothing, because each key is made by a step of its own."""
        return DONE

    def undo(self, seen: tuple[SeenKey, ...]) -> Plan:
        """Schedule their deletion. KMS deletes the aliases with the keys."""
        return Plan(
            tuple(
                Call(
                    "kms",
                    "ScheduleKeyDeletion",
                    f"the CA key {key.alias or key.key_id} was made for this installation; its "
                    f"deletion can be cancelled for {KEY_DELETION_DAYS} days",
                    {"KeyId": key.key_id, "PendingWindowInDays": KEY_DELETION_DAYS},
                    region=key.region,
                )
                for key in seen
            )
        )


@dataclass(frozen=True)
class RestoredKeys(Step[tuple[SeenKey, ...]]):
    """The installation's keys after a removal: their deletion is cancelled, and they are enabled.

    CAs' keys keep their aliases until they are deleted. `aws_destroy` takes the alias from the key
    that secrets are encrypted with.
    """

    deployment: Deployment
    name = "keys of a removed installation"

    def look(self) -> tuple[SeenKey, ...]:
        """Read each tagged key."""
        regions = key_regions(self.deployment)
        return tuple(key for each in regions for key in every_tagged_key(self.deployment, each))

    def plan(self, seen: tuple[SeenKey, ...]) -> Plan:
        """Cancel deletions, enable what is disabled by that, and give the alias back."""
        calls: list[Call] = []
        for key in seen:
            named: dict[str, Any] = {"KeyId": key.key_id}
            what = f"the key {key.alias or key.key_id}"
            if key.state == DELETED:
                reason = f"{what} is about to be deleted"
                calls.append(Call("kms", "CancelKeyDeletion", reason, named, region=key.region))
            if key.state in (DELETED, "Disabled"):  # a cancelled deletion leaves it disabled
                reason = f"{what} is disabled"
                calls.append(Call("kms", "EnableKey", reason, named, region=key.region))
        alias = self.deployment.key_alias
        of_secrets = [k for k in seen if k.usage == "ENCRYPT_DECRYPT" and not k.region]
        if of_secrets and alias not in {key.alias for key in of_secrets}:
            newest = max(of_secrets, key=lambda key: key.made_at)
            named = {"AliasName": alias, "TargetKeyId": newest.key_id}
            calls.append(Call("kms", "CreateAlias", f"no key has the name {alias}", named))
        return Plan(tuple(calls))


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to make the keys, to find them, and to remove them.

    Any key is looked at, to find out whether it carries the installation's tag.
    """
    keys = _arns(deployment, "key/*")
    aliases = _arns(deployment, alias_in(deployment.project, "*"))
    tagged = our_tag(deployment, "aws:ResourceTag")
    looking = ["kms:DescribeKey", "kms:ListResourceTags"]
    in_use = list(signers_in_use(deployment.config))
    deploy = []
    if any(has_keys_in_kms(used) or names_key_of_secrets(deployment, used) for used in in_use):
        deploy.append(allow("LookAtKeys", looking, keys))
    if any(makes_keys_in_kms(used) for used in in_use):
        making = our_tag(deployment, "aws:RequestTag")
        deploy += [
            allow("MakeKey", ["kms:CreateKey", "kms:TagResource"], "*", making),
            allow("NameKey", ["kms:CreateAlias"], aliases),
            allow("NameCAKeys", ["kms:CreateAlias"], keys, tagged),
        ]
    deploy.append(allow("RestoreKeys", ["kms:CancelKeyDeletion", "kms:EnableKey"], keys, tagged))
    return ResourceRights(
        look=["kms:ListAliases", "kms:ListKeys"],
        deploy=deploy,
        remove=[
            allow("LookAtSecrets", looking, "*"),
            allow("RemoveSecrets", ["kms:ScheduleKeyDeletion"], keys, tagged),
        ],
    )


def _arns(deployment: Deployment, what: str) -> str | list[str]:
    """Return the ARNs of ``what`` in KMS, in each region where a signer has keys."""
    account, partition = deployment.account, deployment.partition
    regions = [region or deployment.region for region in key_regions(deployment)]
    arns = [f"arn:{partition}:kms:{region}:{account}:{what}" for region in regions]
    return arns[0] if len(arns) == 1 else arns
