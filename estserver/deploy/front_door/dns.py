"""Route 53: alias records for the domains, where a zone of the account holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.front_door.domain import look_at_domain, no_domain
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class SeenRecords:
    """A name's records, and the host name that they should lead to."""

    target: str
    """The regional host name that API Gateway gave the domain."""
    target_zone: str
    is_domain_ours: bool
    zone_id: str = ""
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The name's address records, by type."""


@dataclass(frozen=True)
class AliasRecords(Step[SeenRecords]):
    """A domain's addresses: A, and AAAA where it has IPv6."""

    deployment: Deployment
    domain: Domain
    adopts: bool = False
    severity = "WARN"

    advice = {
        "NoSuchHostedZone": "Correct DeploymentOptions.hostedZoneId.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.domain.stage}: DNS of {self.domain.name}"

    def look(self) -> SeenRecords:
        """Read the zone and the name's records in it."""
        held = look_at_domain(self.domain.name)
        if not held.get("regionalDomainName"):
            raise no_domain(self.domain.name)
        seen = SeenRecords(
            str(held["regionalDomainName"]),
            str(held.get("regionalHostedZoneId", "")),
            self.deployment.is_ours(held.get("tags") or {}),
        )
        zone_id = self.deployment.config.deployment.hosted_zone_id or self._find_zone()
        if not zone_id:
            return seen
        # Records are listed by name from StartRecordName on, so the name's own come first.
        page = ask(
            "route53",
            "ListResourceRecordSets",
            HostedZoneId=zone_id,
            StartRecordName=self.domain.name,
            MaxItems="10",
        )
        records = {
            record["Type"]: record
            for record in page["ResourceRecordSets"]
            if _plain(record["Name"]) == _plain(self.domain.name)
            and record["Type"] in ("A", "AAAA", "CNAME")
        }
        return SeenRecords(seen.target, seen.target_zone, seen.is_domain_ours, zone_id, records)

    def _find_zone(self) -> str:
        """Return the id of the public zone with the longest name that holds the domain, or ""."""
        zones = ask_all("route53", "ListHostedZones", "HostedZones")
        holding = [
            (len(zone["Name"]), str(zone["Id"]).removeprefix("/hostedzone/"))
            for zone in zones
            if not zone.get("Config", {}).get("PrivateZone")
            and f".{_plain(self.domain.name)}".endswith(f".{_plain(zone['Name'])}")
        ]
        return max(holding, default=(0, ""))[1]

    def plan(self, seen: SeenRecords) -> Plan:
        """Set records that are missing.

        Raises ``OperatorError`` for a record that leads elsewhere, unless ``adopts`` is set.
        """
        if not seen.zone_id:
            return Plan(
                notes=(
                    f"No zone of this account holds {self.domain.name}. In your DNS, set "
                    f"{self.domain.name} CNAME {seen.target}.",
                )
            )
        if "CNAME" in seen.records:
            aliased = seen.records["CNAME"].get("ResourceRecords", [{}])[0].get("Value", "")
            if _plain(aliased) == _plain(seen.target):
                return DONE
            raise OperatorError(
                f"{self.domain.name} is a CNAME of {aliased}. Delete that record and run the "
                "command again."
            )
        missing = []
        for kind in self._kinds():
            leads_to = self._target_of(seen, kind)
            if leads_to == _plain(seen.target):
                continue
            if kind in seen.records and not self.adopts:
                raise OperatorError(
                    f"The {kind} record of {self.domain.name} leads to "
                    f"{leads_to or 'an address'}. Delete it, or run with --adopt to have it "
                    "changed."
                )
            missing.append(kind)
        if not missing:
            return DONE
        reason = (
            f"{self.domain.name} has no {' and no '.join(missing)} record that leads to API Gateway"
        )
        return Plan((self._change(seen, "UPSERT", missing, reason),))

    def undo(self, seen: SeenRecords) -> Plan:
        """Delete the records that lead to a domain that this tool made."""
        own = [kind for kind in seen.records if self._target_of(seen, kind) == _plain(seen.target)]
        own = [kind for kind in own if kind != "CNAME"]
        if not seen.is_domain_ours or not own:
            return DONE
        reason = f"the {' and '.join(own)} record of {self.domain.name}"
        return Plan((self._change(seen, "DELETE", own, reason),))

    def _kinds(self) -> tuple[str, ...]:
        return ("A", "AAAA") if self.domain.is_dualstack else ("A",)

    def _target_of(self, seen: SeenRecords, kind: str) -> str:
        alias = seen.records.get(kind, {}).get("AliasTarget", {})
        return _plain(alias.get("DNSName", ""))

    def _change(self, seen: SeenRecords, action: str, kinds: list[str], reason: str) -> Call:
        return Call(
            "route53",
            "ChangeResourceRecordSets",
            reason,
            {
                "HostedZoneId": seen.zone_id,
                "ChangeBatch": {"Changes": list(self._changes(seen, action, kinds))},
            },
        )

    def _changes(
        self, seen: SeenRecords, action: str, kinds: list[str]
    ) -> Iterator[dict[str, Any]]:
        for kind in kinds:
            alias = {
                "HostedZoneId": seen.target_zone,
                "DNSName": seen.target,
                "EvaluateTargetHealth": False,
            }
            record: Mapping[str, Any] = {
                "Name": self.domain.name,
                "Type": kind,
                "AliasTarget": alias,
            }
            if action == "DELETE":  # Route 53 deletes only an exact copy
                record = seen.records[kind]
            yield {"Action": action, "ResourceRecordSet": record}


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the records of the zone; to those of any zone when it is not named."""
    zone = deployment.config.deployment.hosted_zone_id or "*"
    return ResourceRights(
        look=["route53:ListHostedZones"],
        deploy=[
            allow(
                "Names",
                ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"],
                f"arn:{deployment.partition}:route53:::hostedzone/{zone}",
            )
        ],
    )
