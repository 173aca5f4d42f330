"""AWS Private CA: what it is asked, how long it is waited for, and what its refusals become."""

import base64
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.import_ca import import_authority
from pki.aws.clients import AWSLocation, aws_client, forget_clients
from pki.checks import check_signers
from pki.exceptions import CSRRejected, SignerRefused, SignerUnavailable
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record.snapshot import current_snapshot
from pki.signers import get_signer
from pki.signers.certificate_contents import Issuer, SigningRequest, authority_key_identifier
from pki.signers.privateca.signer import CALL_SECONDS, PrivateCASigner
from tests.conftest import TESTER
from tests.pki.signers.conftest import PRIVATE_CA, use_signer
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name
from tests.support.private_ca import ARN, TEMPLATES

GOV_ARN = ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-central-1", "us-gov-west-1")
SERIAL_NUMBER = 0x4A5B6C7D8E9FA0B1C2D3E4F5061728394A5B6C7D
SAN = [x509.DNSName("sensor-1"), x509.UniformResourceIdentifier("urn:thing:sensor-1")]


def request_for(csr_der, *, subject=None, san=None):
    csr = x509.load_der_x509_csr(csr_der)
    now = timezone.now().replace(microsecond=0)
    san = x509.SubjectAlternativeName(san) if san else None
    return SigningRequest(
        csr, subject or csr.subject, san, SERIAL_NUMBER, now, now + timedelta(days=30)
    )


def issuer_of(ca):
    certificate = ca.certificate
    return Issuer(
        certificate,
        certificate.subject,
        authority_key_identifier(certificate),
        "",
        certificate.not_valid_after_utc,
    )


@pytest.fixture
def signer(private_ca):
    return PrivateCASigner(certificateAuthorityArn=ARN)


def asked_of(private_ca):
    """The parameters of the one certificate that was issued."""
    (issued,) = private_ca.issued.values()
    return issued.asked


# What AWS is asked


def test_a_certificate_is_asked_for_with_the_intents_terms(private_ca, signer):
    request = request_for(make_csr("sensor-1", san=SAN), san=SAN)

    certificate = signer.sign(request, issuer_of(private_ca.ca))

    asked = asked_of(private_ca)
    assert x509.load_pem_x509_csr(base64.b64decode(asked.pop("Csr"))) == request.csr
    assert asked == {
        "CertificateAuthorityArn": ARN,
        "SigningAlgorithm": "SHA256WITHECDSA",
        "TemplateArn": f"{TEMPLATES}/EndEntityClientAuthCertificate/V1",
        "Validity": {"Type": "ABSOLUTE", "Value": request.not_after.timestamp()},
        "ValidityNotBefore": {"Type": "ABSOLUTE", "Value": request.not_before.timestamp()},
        "IdempotencyToken": "4a5b6c7d8e9fa0b1c2d3e4f5061728394a5b",
    }
    assert certificate.not_valid_after_utc == request.not_after


def test_AWS_is_not_asked_to_copy_names_that_were_left_out(private_ca, signer):
    request = request_for(make_csr("sensor-1", san=SAN))

    with pytest.raises(CSRRejected) as refused:
        signer.sign(request, issuer_of(private_ca.ca))

    assert refused.value.reason.code == "san-not-allowed"
    assert private_ca.issued == {}


def test_the_subject_and_SAN_on_file_go_before_those_of_the_CSR(private_ca, signer):
    on_file = make_name("sensor-1", organization="ACME")
    csr = make_csr(subject=make_name("SENSOR-1", organization="acme"), san=SAN[:1])
    request = request_for(csr, subject=on_file, san=SAN)

    certificate = signer.sign(request, issuer_of(private_ca.ca))

    asked = asked_of(private_ca)
    assert asked["TemplateArn"] == f"{TEMPLATES}/EndEntityClientAuthCertificate_APIPassthrough/V1"
    assert asked["ApiPassthrough"] == {
        "Subject": {
            "CustomAttributes": [  # in the order on file
                {"ObjectIdentifier": "2.5.4.10", "Value": "ACME"},
                {"ObjectIdentifier": "2.5.4.3", "Value": "sensor-1"},
            ]
        },
        "Extensions": {
            "SubjectAlternativeNames": [
                {"DnsName": "sensor-1"},
                {"UniformResourceIdentifier": "urn:thing:sensor-1"},
            ]
        },
    }
    assert certificate.subject == on_file


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("ec-p256", "SHA256WITHECDSA"),
        ("ec-p384", "SHA384WITHECDSA"),
        ("ec-p521", "SHA512WITHECDSA"),
        ("rsa-2048", "SHA256WITHRSA"),
    ],
)
def test_the_signing_algorithm_fits_the_CAs_key(key, algorithm):
    ca = make_ca("Their CA", key=make_key(key))
    asked = stubbed(ARN, TemplateArn=f"{TEMPLATES}/EndEntityClientAuthCertificate/V1")

    asked(ca, SigningAlgorithm=algorithm)


def test_the_template_is_the_partitions_own():
    template = "arn:aws-us-gov:acm-pca:::template/EndEntityClientAuthCertificate/V1"

    stubbed(GOV_ARN)(make_ca(), TemplateArn=template, SigningAlgorithm="SHA256WITHECDSA")


def test_a_template_of_the_operators_own_takes_the_place_of_ours(private_ca):
    template = f"{TEMPLATES}/EndEntityCertificate/V1"
    signer = PrivateCASigner(certificateAuthorityArn=ARN, templateArn=template)
    renewal = request_for(make_csr("SENSOR-1"), subject=make_name("sensor-1"))

    signer.sign(renewal, issuer_of(private_ca.ca))

    assert asked_of(private_ca)["TemplateArn"] == template
    assert "ApiPassthrough" not in asked_of(private_ca)  # AWS would ignore it


def stubbed(arn, **constant):
    """A call that signs with the private CA ``arn``, whose client is a Stubber of botocore's."""

    def sign(ca, **expected):
        signer = PrivateCASigner(certificateAuthorityArn=arn)
        request = request_for(make_csr("sensor-1"))
        forget_clients()
        client = aws_client("acm-pca", AWSLocation(arn.split(":")[3]), read_timeout=CALL_SECONDS)
        certificate_arn = f"{arn}/certificate/{0:032x}"
        with Stubber(client) as stub:
            stub.add_response(
                "issue_certificate",
                {"CertificateArn": certificate_arn},
                {
                    "CertificateAuthorityArn": arn,
                    "Csr": request.csr.public_bytes(Encoding.PEM),
                    "Validity": {"Type": "ABSOLUTE", "Value": int(request.not_after.timestamp())},
                    "ValidityNotBefore": {
                        "Type": "ABSOLUTE",
                        "Value": int(request.not_before.timestamp()),
                    },
                    "IdempotencyToken": f"{SERIAL_NUMBER:x}"[:36],
                    **constant,
                    **expected,
                },
            )
            stub.add_response(
                "get_certificate",
                {"Certificate": ca.certificate.public_bytes(Encoding.PEM).decode()},
                {"CertificateAuthorityArn": arn, "CertificateArn": certificate_arn},
            )
            assert signer.sign(request, issuer_of(ca)) == ca.certificate
            stub.assert_no_pending_responses()
        forget_clients()

    return sign


# Once for an intent, and in time


def test_the_same_intent_gets_the_same_certificate(private_ca, signer):
    request = request_for(make_csr("sensor-1"))

    first = signer.sign(request, issuer_of(private_ca.ca))

    assert signer.sign(request, issuer_of(private_ca.ca)) == first
    assert len(private_ca.issued) == 1


def test_after_AWSs_five_minutes_it_gets_another(private_ca, signer):
    request = request_for(make_csr("sensor-1"))

    first = signer.sign(request, issuer_of(private_ca.ca))
    private_ca.forget_tokens()

    assert signer.sign(request, issuer_of(private_ca.ca)) != first


def test_a_certificate_that_takes_a_moment_is_waited_for(private_ca, signer):
    private_ca.slowness = 1

    assert signer.sign(request_for(make_csr("sensor-1")), issuer_of(private_ca.ca))

    (issued,) = private_ca.issued.values()
    assert issued.looks == 2


def test_one_that_takes_longer_is_there_for_the_retry(private_ca):
    signer = PrivateCASigner(certificateAuthorityArn=ARN, waitSeconds=1)
    private_ca.slowness = 10**6
    request = request_for(make_csr("sensor-1"))

    with pytest.raises(SignerUnavailable) as caught:
        signer.sign(request, issuer_of(private_ca.ca))
    private_ca.slowness = 0
    certificate = signer.sign(request, issuer_of(private_ca.ca))

    assert caught.value.__cause__.code == "RequestInProgressException"
    assert [one.certificate for one in private_ca.issued.values()] == [certificate]


# What AWS refuses


def refused_with(code, method="issue_certificate", *, status=400):
    signer = PrivateCASigner(certificateAuthorityArn=ARN)
    forget_clients()
    client = aws_client("acm-pca", AWSLocation("eu-central-1"), read_timeout=CALL_SECONDS)
    with Stubber(client) as stub:
        if method == "get_certificate":
            stub.add_response("issue_certificate", {"CertificateArn": f"{ARN}/certificate/1"})
        stub.add_client_error(method, code, "what AWS says", http_status_code=status)
        signer.sign(request_for(make_csr("sensor-1")), issuer_of(make_ca()))


@pytest.mark.parametrize("code", ["MalformedCSRException", "InvalidArgsException"])
def test_a_request_that_AWS_finds_wrong_is_refused(code, caplog):
    with pytest.raises(SignerRefused) as caught:
        refused_with(code)

    assert caught.value.reason.code == "signer-refused"
    assert "what AWS says" not in caught.value.message
    assert f"acm-pca:IssueCertificate failed with {code}: what AWS says" in caplog.text


@pytest.mark.parametrize(
    ("code", "method"),
    [
        ("InvalidStateException", "issue_certificate"),
        ("LimitExceededException", "issue_certificate"),
        ("ResourceNotFoundException", "issue_certificate"),
        ("RequestFailedException", "get_certificate"),
        ("InvalidStateException", "get_certificate"),
    ],
)
def test_what_is_between_AWS_and_the_operator_is_unavailable(code, method):
    with pytest.raises(SignerUnavailable) as caught:
        refused_with(code, method)

    assert isinstance(caught.value.__cause__, RemoteFailure)
    assert caught.value.__cause__.code == code


def test_a_CA_with_a_key_of_another_kind_is_unavailable(signer, private_ca):
    odd = ed25519.Ed25519PrivateKey.generate().public_key()
    issuer = replace(
        issuer_of(private_ca.ca), certificate=make_certificate(make_ca(), public_key=odd)
    )

    with pytest.raises(SignerUnavailable) as caught:
        signer.sign(request_for(make_csr("sensor-1")), issuer)
    assert "not an EC or RSA key. Choose another" in str(caught.value.__cause__)


# Doctor


def test_a_CA_that_isnt_active_fails_the_check(private_ca, signer):
    private_ca.status = "DISABLED"

    with pytest.raises(SignerUnavailable) as caught:
        signer.check(issuer_of(private_ca.ca))
    assert f"{ARN} is DISABLED, not ACTIVE" in str(caught.value.__cause__)


def test_another_CA_than_the_one_on_record_fails_the_check(private_ca, signer):
    with pytest.raises(SignerUnavailable) as caught:
        signer.check(issuer_of(make_ca("Somebody's")))
    assert "is not the one on record. Correct certificateAuthorityArn" in str(
        caught.value.__cause__
    )


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize(
    "operation", ["DescribeCertificateAuthority", "GetCertificateAuthorityCertificate"]
)
def test_a_check_that_AWS_doesnt_answer_fails(private_ca, signer, operation, fault):
    with (
        failing("acm-pca", operation, fault, times=1),
        pytest.raises(SignerUnavailable) as caught,
    ):
        signer.check(issuer_of(private_ca.ca))

    assert caught.value.__cause__.call == f"acm-pca:{operation}"
    signer.check(issuer_of(private_ca.ca))


# OPTIONS


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, r"OPTIONS.certificateAuthorityArn: missing, wanted the ARN of a private CA \(arn"),
        ({"certificateAuthorityArn": "my-ca"}, "certificateAuthorityArn: found 'my-ca', wanted"),
        ({"certificateAuthorityArn": 5}, "certificateAuthorityArn: found 5, wanted the ARN"),
        ({"certificateAuthorityArn": f"{ARN}/certificate/1"}, "found 'arn.*/certificate/1'"),
        ({"region": "Frankfurt"}, "OPTIONS.region: found 'Frankfurt', wanted a region such as"),
        ({"roleArn": "arn:aws:iam::1:user/x"}, "roleArn: found .*, wanted the ARN of an IAM role"),
        ({"waitSeconds": 0}, "found 0, wanted a whole number of seconds from 1 to 20"),
        ({"waitSeconds": "5"}, "found '5', wanted a whole number"),
        ({"waitSeconds": True}, "found True, wanted a whole number"),
        ({"template": "x"}, "OPTIONS.template: unknown; the signer takes certificateAuthorityArn,"),
        *(
            ({"templateArn": f"{TEMPLATES}/{name}/V1"}, f"templateArn: found .*{name}.*, wanted")
            for name in (
                "SubordinateCACertificate_PathLen0",
                "RootCACertificate",
                "EndEntityServerAuthCertificate",
                "EndEntityClientAuthCertificate_CSRPassthrough",
                "EndEntityClientAuthCertificate_APICSRPassthrough",
                "BlankEndEntityCertificate_APIPassthrough",
            )
        ),
    ],
)
def test_T34_bad_options_are_said_in_a_sentence_at_start(data_dir, settings, options, complaint):
    given = {"certificateAuthorityArn": ARN, **options} if options else {}
    use_signer(settings, "pca", PRIVATE_CA, given)

    (problem,) = check_signers(None)

    assert problem.id == "pki.E001"
    assert re.search(complaint, problem.msg)
    assert problem.msg.endswith("Correct it under Properties.signers.")


def test_calls_go_to_the_region_and_account_of_the_options(aws_cloud):
    role = "arn:aws:iam::210987654321:role/est"
    signer = PrivateCASigner(certificateAuthorityArn=ARN, region="us-east-1", roleArn=role)

    client = signer._client()

    assert client is aws_client(
        "acm-pca", AWSLocation("us-east-1", role), read_timeout=CALL_SECONDS
    )
    assert client.meta.region_name == "us-east-1"


def test_without_a_region_it_is_the_ARNs(aws_cloud):
    client = PrivateCASigner(certificateAuthorityArn=GOV_ARN)._client()

    assert client.meta.region_name == "us-gov-west-1"


# Bootstrap


def test_bootstrap_takes_the_CA_and_its_chain_from_AWS(bootstrapped, private_ca):
    client = bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})

    ca = CertificateAuthority.objects.device().get()
    assert (ca.certificate, ca.chain) == (private_ca.ca.certificate, private_ca.chain)
    assert (ca.signer, ca.key_reference) == ("pca", "")
    assert set(client.cacerts().certificates) == {private_ca.ca.certificate, *private_ca.chain}


def test_a_second_bootstrap_calls_nobody(bootstrapped, private_ca):
    bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})

    with aws_calls() as calls:
        lines = bootstrap_cas(actor=TESTER)

    assert calls == []
    assert lines[0] == "device CA device-ca: on record, left as it is"


def test_force_looks_for_a_successor_and_finds_none(bootstrapped, private_ca):
    bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})

    lines = bootstrap_cas(actor=TESTER, force=True)

    assert lines[0] == "device CA device-ca: on record, left as it is"


def test_a_private_CA_in_place_of_the_one_on_record_needs_force(installation, settings, private_ca):
    use_signer(settings, "pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})
    plan = replace(settings.PKI.device_ca, signer="pca")
    settings.PKI = replace(settings.PKI, device_ca=plan)

    with pytest.raises(OperatorError, match="device-ca is on record, and the signer 'pca' holds"):
        bootstrap_cas(actor=TESTER)
    bootstrap_cas(actor=TESTER, force=True)

    (issuing,) = CertificateAuthority.objects.device().issuing()
    assert (issuing.certificate, issuing.signer) == (private_ca.ca.certificate, "pca")
    assert issuing.successor_of.name == "device-ca"


@pytest.mark.parametrize("fault", Fault)
def test_bootstrap_says_what_AWS_said_and_goes_on_from_there(bootstrapped, private_ca, fault):
    pca = ("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})

    with (
        failing("acm-pca", "GetCertificateAuthorityCertificate", fault),
        pytest.raises(RemoteFailure, match=r"^acm-pca:GetCertificateAuthorityCertificate failed"),
    ):
        bootstrapped(*pca)
    assert not CertificateAuthority.objects.exists()

    assert bootstrapped(*pca).cacerts().status_code == 200


# Through the door


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", ["IssueCertificate", "GetCertificate"])
def test_a_call_that_fails_loses_nothing_and_doubles_nothing(
    bootstrapped, private_ca, operation, fault
):
    client = bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})
    csr = make_csr("sensor-1")

    with failing("acm-pca", operation, fault, times=1) as fault_met:
        refused = client.simpleenroll(csr)
    on_record = IssuedCertificate.objects.get(common_name="sensor-1")
    answered = client.simpleenroll(csr)

    assert fault_met.met == 1
    assert (refused.status_code, refused.reason) == (503, "signer-unavailable")
    assert int(refused["Retry-After"]) > 0
    assert on_record.state == IssuedCertificate.State.INTENT
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    assert (row.pk, row.state) == (on_record.pk, IssuedCertificate.State.ISSUED)
    assert [one.certificate for one in private_ca.issued.values()] == [answered.certificate]
    assert row.to_x509() == answered.certificate


@pytest.mark.parametrize("fault", Fault)
def test_a_role_that_cant_be_assumed_loses_nothing(bootstrapped, aws_cloud, private_ca, fault):
    role = "arn:aws:iam::210987654321:role/est"
    client = bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN, "roleArn": role})
    forget_clients()
    csr = make_csr("sensor-1")

    with failing("sts", "AssumeRole", fault, times=1) as fault_met:
        refused = client.simpleenroll(csr)
    answered = client.simpleenroll(csr)

    assert fault_met.met == 1
    assert (refused.status_code, refused.reason) == (503, "signer-unavailable")
    assert [one.certificate for one in private_ca.issued.values()] == [answered.certificate]


def test_W26_a_renewal_keeps_the_subject_on_file(bootstrapped, private_ca):
    client = bootstrapped("pca", PRIVATE_CA, {"certificateAuthorityArn": ARN})
    first = client.simpleenroll(make_csr("sensor-1")).certificate

    renewed = (
        client.using(first)
        .simplereenroll(make_csr("SENSOR-1", key=make_key("ec-p256", 3)))
        .certificate
    )

    assert renewed.subject == first.subject
    assert [issued.certificate for issued in private_ca.issued.values()] == [first, renewed]


def test_moto_issues_what_can_be_checked_of_it(aws_cloud, db, data_dir, settings):
    """moto signs for a year whatever it is asked, so the intent has to allow that."""
    admin = aws_client("acm-pca", AWSLocation("eu-central-1"))
    arn = admin.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": "moto CA"},
        },
        CertificateAuthorityType="ROOT",
    )["CertificateAuthorityArn"]
    pem = admin.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    root = make_ca("Root")
    ca = make_ca("moto CA", key=Held(x509.load_pem_x509_csr(pem.encode())), issuer=root)
    admin.import_certificate_authority_certificate(
        CertificateAuthorityArn=arn,
        Certificate=ca.certificate.public_bytes(Encoding.PEM),
        CertificateChain=root.certificate.public_bytes(Encoding.PEM),
    )
    use_signer(settings, "pca", PRIVATE_CA, {"certificateAuthorityArn": arn})
    signer = get_signer("pca")
    import_authority(
        CertificateAuthority.Purpose.DEVICE,
        "device-ca",
        list(signer.existing_authority("device").certificates),
        key=None,
        signer="pca",
        actor=TESTER,
    )
    (authority,) = current_snapshot().authorities

    signer.check(authority.issuer)
    request = request_for(make_csr("sensor-1"))
    certificate = signer.sign(request, authority.issuer)

    certificate.verify_directly_issued_by(ca.certificate)
    assert certificate.public_key() == request.csr.public_key()
    assert authority.row.chain == [root.certificate]


class Held:
    """A key that is somebody else's: only its public half is known, by a CSR."""

    def __init__(self, csr):
        self.public_key = csr.public_key
