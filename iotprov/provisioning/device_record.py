"""What is on record of one device in AWS IoT, without a call: outbox rows, and what the plan is."""

from collections.abc import Sequence
from dataclasses import dataclass

from iotprov.conf import iot_settings
from iotprov.documents.preview import Preview, preview
from iotprov.documents.versions import Kind, body_in_force
from iotprov.models import Provisioning
from pki.choices import IoTProvisioning
from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError

_MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class DeviceInAWSIoT:
    """A device in the record of AWS IoT."""

    rows: tuple[Provisioning, ...]
    """Outbox rows of its certificates at each target, newest first."""
    plan: Preview | None
    """The thing and the policy that the template in force gives its current certificate."""
    problem: str
    """Why there is no plan, as a sentence; "" if there is one."""

    def thing_at(self, target: str, common_name: str) -> str:
        """Return the name of its thing at a target: on record, planned, or the common name."""
        for row in self.rows:
            if row.target == target and row.thing_name:
                return row.thing_name
        return self.plan.thing.thing_name if self.plan is not None else common_name

    def certificate_rows(self, certificate: IssuedCertificate) -> tuple[Provisioning, ...]:
        """Return the rows of one certificate."""
        return tuple(row for row in self.rows if row.certificate_id == certificate.pk)


def device_in_aws_iot(
    certificates: Sequence[IssuedCertificate], current: IssuedCertificate | None
) -> DeviceInAWSIoT:
    """Return what is on record of a device with these certificates. Nothing of AWS is asked."""
    keys = [row.pk for row in certificates]
    rows = Provisioning.objects.filter(certificate__in=keys).order_by("-id") if keys else ()
    found = tuple(rows[:_MOST_ROWS])
    if current is None or current.profile is None:
        return DeviceInAWSIoT(found, None, "It has no current certificate.")
    if current.profile.iot_provisioning == IoTProvisioning.NONE:
        return DeviceInAWSIoT(
            found, None, f"The profile {current.profile.name} does not use AWS IoT."
        )
    try:
        plan = preview(
            current.to_x509(),
            template_body=body_in_force(Kind.TEMPLATE),
            policy_body=body_in_force(Kind.POLICY),
        )
    except (OperatorError, PKIError) as error:
        return DeviceInAWSIoT(found, None, str(error))
    return DeviceInAWSIoT(found, plan, "")


def targets() -> tuple[str, ...]:
    """Return the names of the configured targets."""
    return tuple(target.name for target in iot_settings().targets)
