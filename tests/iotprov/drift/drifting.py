"""An installation whose target agrees with the record in everything, for tests to disturb."""

from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest

from iotprov.authorities.ca_registration import register_ca
from iotprov.conf import IoTTarget
from iotprov.documents.push import push
from iotprov.drift import NotCompared, Repair, drift
from iotprov.models import DocumentVersion
from pki.authorities.import_ca import import_authority
from pki.models import CertificateAuthority
from tests.conftest import TESTER
from tests.iotprov.aws_edge import listing_edge
from tests.iotprov.cloud import Cloud, record, settle_all
from tests.iotprov.conftest import template
from tests.support import aws_faults
from tests.support.builders import make_ca, make_csr, make_key

__all__ = ["agreed", "listing_edge"]

HERE = IoTTarget("default")


@dataclass(frozen=True)
class Agreed:
    """The installation, its AWS account, and devices."""

    edge: Any
    cloud: Cloud
    est_client: Any

    @property
    def iot(self):
        """The console: calls that nobody counts and that don't fail."""
        return self.cloud.iot

    @property
    def iam(self):
        """IAM, seen through boto3."""
        iam = boto3.client("iam", region_name="eu-central-1")
        iam.meta.events.unregister("before-call", aws_faults._note)
        return iam

    def other_ca(self):
        """A second device CA, which AWS knows too."""
        certificates = [make_ca("Other").certificate]
        ca = import_authority(
            CertificateAuthority.Purpose.DEVICE,
            "other-ca",
            certificates,
            key=None,
            signer="",
            actor=TESTER,
        )
        register_ca(ca, HERE, actor=TESTER)
        return ca

    def enroll(self, name, key=0):
        """A device in good standing; the row of its certificate."""
        response = self.est_client.simpleenroll(make_csr(name, key=make_key(index=key)))
        return self._settled(response)

    def renew(self, row, key):
        """The row of the certificate that follows ``row``."""
        client = self.est_client.using(row.to_x509())
        csr = make_csr(row.common_name, key=make_key(index=key))
        return self._settled(client.simplereenroll(csr))

    def _settled(self, response):
        assert response.status_code == 200, response.text
        settle_all()
        return record(response.certificate)

    def arn(self, row):
        """A certificate's ARN."""
        said = self.iot.describe_certificate(certificateId=row.fingerprint_sha256)
        return said["certificateDescription"]["certificateArn"]

    def set_status(self, row, status):
        """Somebody presses a button in the console."""
        self.iot.update_certificate(certificateId=row.fingerprint_sha256, newStatus=status)

    def delete(self, row):
        """Somebody deletes a certificate."""
        arn = self.arn(row)
        for thing in self.iot.list_principal_things(principal=arn)["things"]:
            self.iot.detach_thing_principal(thingName=thing, principal=arn)
        for policy in self.iot.list_attached_policies(target=arn)["policies"]:
            self.iot.detach_policy(policyName=policy["policyName"], target=arn)
        self.set_status(row, "INACTIVE")
        self.iot.delete_certificate(certificateId=row.fingerprint_sha256)


@pytest.fixture
def agreed(listing_edge, use_template, in_mode, device_ca, est_client, settings):
    """Everything pushed, the CA registered; devices are registered when they enroll."""
    use_template(template())
    settings.IOT = replace(settings.IOT, configure_jitp=True)
    cloud = Cloud.prepared(with_policy=False)
    push(DocumentVersion.Kind.POLICY, HERE, actor=TESTER)
    push(DocumentVersion.Kind.TEMPLATE, HERE, actor=TESTER)
    register_ca(CertificateAuthority.objects.get(pk=device_ca.pk), HERE, actor=TESTER)
    in_mode("register")
    return Agreed(listing_edge, cloud, est_client)


def found(*, deep=False):
    """All differences."""
    return list(drift(HERE, deep=deep))


def found_before_failing(*, deep=False):
    """The differences found, and the parts that weren't compared."""
    differences = drift(HERE, deep=deep)
    seen = []
    try:
        for one in differences:
            seen.append(one)
    except NotCompared as error:
        return seen, error
    raise AssertionError("everything was compared")


def repair(*, deep=False):
    """Mend what is ours; returns what was."""
    mender = Repair(HERE, actor=TESTER, reason="test")
    mended = [one for one in drift(HERE, deep=deep) if mender.mend(one)]
    drained = mender.finish()
    assert drained.error is None
    return mended
