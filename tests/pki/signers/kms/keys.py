"""Keys in KMS, and CAs that have them."""

import datetime

from pki.authorities.create import create_authority
from pki.authorities.import_ca import import_authority
from pki.aws.clients import DEFAULT_LOCATION, AWSLocation, aws_client
from pki.models import CertificateAuthority
from pki.record.snapshot import current_snapshot
from pki.signers.kms.signer import KMSSigner
from tests.conftest import TESTER
from tests.support.builders import make_ca

Purpose = CertificateAuthority.Purpose
DAY = datetime.timedelta(days=1)
ARN = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_ACCOUNT = AWSLocation("", "arn:aws:iam::210987654321:role/est")


def create(name="device-ca", algorithm="ec-p256", purpose=Purpose.DEVICE):
    return create_authority(
        purpose,
        name,
        common_name=f"The {name}",
        key_algorithm=algorithm,
        validity=365 * DAY,
        signer="kms",
        actor=TESTER,
    )


def make_kms_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY", place=DEFAULT_LOCATION):
    made = aws_client("kms", place).create_key(KeySpec=spec, KeyUsage=usage)
    return made["KeyMetadata"]["Arn"]


def import_(certificate, key=None):
    return import_authority(
        Purpose.DEVICE, "imported", [certificate], key=key, signer="kms", actor=TESTER
    )


def self_signed_by(arn):
    """The certificate of a CA that somebody made with a key in KMS."""
    key = KMSSigner().private_key(arn)
    return make_ca("Theirs", key=key).certificate


def aliases():
    listed = aws_client("kms").list_aliases()["Aliases"]
    return [one["AliasName"] for one in listed if one["AliasName"].startswith("alias/est/")]


def issuer_of(ca):
    return next(one.issuer for one in current_snapshot().authorities if one.row == ca)
