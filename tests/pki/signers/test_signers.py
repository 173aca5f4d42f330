"""One suite for every signer; then what is particular to each."""

import datetime
import logging
import pickle
import stat
import traceback
from dataclasses import dataclass, replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter

from pki.authorities.create import create_authority
from pki.authorities.import_ca import import_authority
from pki.aws.clients import forget_clients
from pki.csr.public_keys import public_key_sha256
from pki.exceptions import CSRRejected, SignerRefused, SignerUnavailable
from pki.issuance.verified_signing import sign
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import snapshot
from pki.record.intents import BACKDATING
from pki.record.snapshot import current_snapshot
from pki.signers import KeySigner, get_signer
from pki.signers.certificate_contents import SigningRequest, random_serial_number
from pki.signers.keyfile import PASSPHRASE_VARIABLE, KeyFileSigner
from tests.conftest import TESTER
from tests.pki.signers.conftest import EST, PRIVATE_CA, use_signer
from tests.pki.signers.toy import TOY, toy_options
from tests.support.aws_faults import Fault, failing
from tests.support.builders import BuiltCA, make_ca, make_certificate, make_csr, make_key, make_name
from tests.support.plugins import ExternalPKI
from tests.support.private_ca import ARN

DAY = datetime.timedelta(days=1)
NOBODY = "http://127.0.0.1:9"  # discard: nobody answers there
SIGNERS = [
    "keyfile-ec",
    "keyfile-rsa",
    "kms-ec",
    "kms-rsa",
    "secretsmanager-ec",
    "secretsmanager-rsa",
    "external",
    "privateca",
    "est",
    "toy",
]


@dataclass(frozen=True)
class Setup:
    """A CA on record with its signer, and an intent to be signed."""

    built: BuiltCA | None  # None for a CA whose key was never here
    authority: snapshot.AuthoritySnapshot
    intent: IssuedCertificate
    request: SigningRequest

    def sign(self):
        return sign(self.intent, self.authority, self.request)


@dataclass(frozen=True)
class Custody:
    """Who has a CA's key, and the signer that reaches it."""

    alias: str
    backend: str
    options: dict
    built: BuiltCA | None = None
    is_key_imported: bool = False


def custody(name, request):
    """The signer of that name; what it needs around it is started by ``request``'s fixtures."""
    if name.startswith("kms"):
        request.getfixturevalue("aws_cloud")
        return Custody("kms", "pki.signers.kms.KMSSigner", {})
    if name == "privateca":
        private_ca = request.getfixturevalue("private_ca")
        return Custody(name, PRIVATE_CA, {"certificateAuthorityArn": ARN}, private_ca.ca)
    if name == "est":
        upstream = request.getfixturevalue("upstream")
        return Custody(name, EST, upstream.options, BuiltCA(upstream.device_ca, None))
    built = make_ca("Their CA", key=make_key(key_algorithm_of(name)))
    if name == "toy":
        directory = request.getfixturevalue("data_dir") / "keys"
        return Custody(name, TOY, toy_options(directory, built), built)
    if name == "external":
        options = {"class": "tests.support.plugins.ExternalPKI"}
        return Custody(name, "pki.signers.external.ExternalSigner", options, built)
    if name.startswith("secretsmanager"):
        request.getfixturevalue("aws_cloud")
        backend = "pki.signers.secretsmanager.SecretsManagerSigner"
        return Custody("secretsmanager", backend, {}, built, is_key_imported=True)
    backend = "pki.signers.keyfile.KeyFileSigner"
    return Custody("keyfile", backend, {}, built, is_key_imported=True)


def key_algorithm_of(name):
    return "rsa-2048" if name.endswith("-rsa") else "ec-p384"


def set_up(name, request, settings, monkeypatch):
    """A CA with the signer of that name, and an intent; ``request`` is pytest's."""
    keeper = custody(name, request)
    built = keeper.built
    use_signer(settings, keeper.alias, keeper.backend, keeper.options)
    if built is None:
        row = make_ca_in_kms(key_algorithm_of(name))
    else:
        row = import_authority(
            CertificateAuthority.Purpose.DEVICE,
            "device-ca",
            [built.certificate],
            key=built.key if keeper.is_key_imported else None,
            signer=keeper.alias,
            actor=TESTER,
        )
    san = x509.SubjectAlternativeName([x509.DNSName("sensor-1")])
    csr = x509.load_der_x509_csr(make_csr("sensor-1", san=list(san)))
    begin = timezone.now().replace(microsecond=0) - BACKDATING
    serial_number = random_serial_number()
    request = SigningRequest(csr, csr.subject, san, serial_number, begin, begin + 30 * DAY)
    monkeypatch.setattr(ExternalPKI, "calls", [])
    monkeypatch.setattr(
        ExternalPKI, "answer", staticmethod(lambda *_: answer(built, request)), raising=True
    )
    (authority,) = current_snapshot().authorities
    intent = IssuedCertificate(
        ca=row,
        serial_number=f"{serial_number:x}",
        common_name="sensor-1",
        key_sha256=public_key_sha256(csr.public_key()),
        not_before=request.not_before,
        not_after=request.not_after,
    )
    return Setup(built, authority, intent, request)


def make_ca_in_kms(key_algorithm):
    return create_authority(
        CertificateAuthority.Purpose.DEVICE,
        "device-ca",
        common_name="CA in KMS",
        key_algorithm=key_algorithm,
        validity=365 * DAY,
        signer="kms",
        actor=TESTER,
    )


def answer(built, request, **changes):
    """What a well-behaved PKI returns, but for ``changes``."""
    terms = {
        "subject": request.subject,
        "public_key": request.csr.public_key(),
        "san": list(request.san) if request.san else None,
        "not_before": request.not_before,
        "not_after": request.not_after,
    }
    return make_certificate(built, **(terms | changes))


@pytest.fixture(params=SIGNERS)
def setup(request, db, data_dir, settings, monkeypatch):
    """Each signer in turn."""
    return set_up(request.param, request, settings, monkeypatch)


@pytest.fixture
def keyfile(request, db, data_dir, settings, monkeypatch):
    return set_up("keyfile-ec", request, settings, monkeypatch)


@pytest.fixture
def external(request, db, data_dir, settings, monkeypatch):
    return set_up("external", request, settings, monkeypatch)


# What holds for all


def test_the_certificate_is_for_the_key_of_the_csr(setup):
    assert public_key_sha256(setup.sign().public_key()) == setup.intent.key_sha256


def test_the_certificate_chains_to_the_CA_on_record(setup):
    setup.sign().verify_directly_issued_by(setup.authority.certificate)


def test_the_certificate_is_valid_within_the_intents_bounds(setup):
    certificate = setup.sign()

    assert certificate.not_valid_before_utc >= setup.intent.not_before
    assert certificate.not_valid_after_utc <= setup.intent.not_after


def test_the_certificate_has_the_subject_and_SAN_asked_for(setup):
    certificate = setup.sign()

    assert certificate.subject == setup.request.subject
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert san.value == setup.request.san


def test_T34_the_certificate_is_no_CA_and_for_clients(setup):
    extensions = setup.sign().extensions

    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_signer_that_holds_the_key_signs_the_intents_serial_number(setup):
    signer = get_signer(setup.authority.row.signer)

    certificate = setup.sign()

    assert signer.chooses_serial_number is not isinstance(signer, KeySigner)
    is_ours = certificate.serial_number == setup.request.serial_number
    assert is_ours is isinstance(signer, KeySigner)


def test_a_signer_in_order_passes_its_check(setup):
    get_signer(setup.authority.row.signer).check(setup.authority.issuer)


def test_a_signer_out_of_reach_is_unavailable(setup, data_dir, settings, monkeypatch):
    for path in (data_dir / "keys").glob("*"):
        path.unlink()
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: 1 // 0))
    monkeypatch.setenv("AWS_ENDPOINT_URL_ACM_PCA", NOBODY)
    forget_clients()
    for signer in settings.PKI.signers.values():
        if "url" in signer["OPTIONS"]:
            signer["OPTIONS"]["url"] = NOBODY.replace("http:", "https:")
    get_signer.cache_clear()

    with (
        failing("kms", "Sign", Fault.TIMEOUT),
        failing("secretsmanager", "GetSecretValue", Fault.TIMEOUT),
        pytest.raises(SignerUnavailable) as caught,
    ):
        setup.sign()

    assert caught.value.reason.code == "signer-unavailable"


# External: whatever comes back is looked at


def test_the_class_gets_what_the_CDK_samples_got(external, monkeypatch):
    monkeypatch.setenv("EST_CUSTOM_SECRET", "hunter2")
    setup = replace(external, request=replace(external.request, tenant_id="acme"))

    setup.sign()

    ((csr, data, validity, secret),) = ExternalPKI.calls
    assert csr == setup.request.csr
    assert data == {"commonName": "sensor-1", "tenant-id": "acme"}
    assert (validity, secret) == (30 * DAY, "hunter2")


@pytest.mark.parametrize("as_what", [str, bytes])
def test_PEM_text_will_do(external, monkeypatch, as_what):
    certificate = answer(external.built, external.request)
    pem = certificate.public_bytes(Encoding.PEM)
    returned = pem if as_what is bytes else pem.decode()
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: returned))

    assert external.sign() == certificate


def test_to_say_no_the_class_returns_None(external, monkeypatch):
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: None))

    with pytest.raises(SignerRefused) as caught:
        external.sign()

    assert caught.value.reason.code == "signer-refused"


def test_a_name_that_was_left_out_does_not_come_back_from_a_PKI_outside(external, monkeypatch):
    """It has the CSR as the device signed it, and copies the name from there."""
    granted, asked = external.request, replace(external.request, san=None)

    assert external.sign().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    with pytest.raises(CSRRejected) as refused:
        replace(external, request=asked).sign()

    assert refused.value.reason.code == "san-not-allowed"
    assert "DNSName 'sensor-1'" in refused.value.message
    # A PKI that leaves it out too is as good as any.
    monkeypatch.setattr(
        ExternalPKI, "answer", staticmethod(lambda *_: answer(external.built, asked))
    )
    assert replace(external, request=asked).sign().subject == granted.subject


def unreadable(certificate):
    """The same with a text in its subject that is no UTF-8."""
    der = certificate.public_bytes(Encoding.DER)
    return x509.load_der_x509_certificate(der.replace(b"\x0c\x08sensor-1", b"\x0c\x08senso\xff-1"))


def look_alike():
    return make_ca("Their CA", key=make_key("ec-p384", 7))


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (lambda s: answer(s.built, s.request, public_key=make_key(index=5).public_key()), "key"),
        (lambda s: answer(make_ca("Stranger"), s.request), "isn't signed by the CA device-ca"),
        (lambda s: answer(look_alike(), s.request), "isn't signed by the CA device-ca"),
        (lambda s: answer(s.built, s.request, subject=make_name("sensor-2")), "sensor-2"),
        (lambda s: unreadable(answer(s.built, s.request)), "it can't be read"),
        (lambda s: answer(s.built, s.request, not_after=s.request.not_after + DAY), "it ends"),
        (lambda s: answer(s.built, s.request, not_before=timezone.now() + DAY), "in the future"),
        (lambda s: "hello", ""),
        (lambda s: b"\x30\x82\x01", ""),
        (lambda s: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""),
        (lambda s: {"certificate": "x"}, "returned a dict, not a certificate"),
        (lambda s: s.request.csr, "not a certificate"),
    ],
    ids=[
        "another-key",
        "another-issuer",
        "an-issuer-of-the-same-name",
        "another-name",
        "unreadable",
        "too-long",
        "not-yet",
        "garbage-text",
        "garbage-bytes",
        "broken-PEM",
        "another-type",
        "the-CSR",
    ],
)
def test_an_unfit_certificate_reaches_nobody(external, monkeypatch, caplog, returned, complaint):
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: returned(external)))

    with pytest.raises(SignerUnavailable) as caught:
        external.sign()

    assert caught.value.reason.code == "signer-misbehaved"
    assert complaint in caplog.text
    reason = caught.value.reason
    assert caught.value.message == f"{reason.meaning} {reason.advice}"  # the device learns no more


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("", "names no class. Set Properties.externalSignerClass"),
        ("nowhere.at.all", "nowhere.at.all cannot be imported"),
        ("tests.support.plugins.Missing", "tests.support.plugins.Missing cannot be imported"),
        ("tests.support.plugins.WatchedSigner", "has no method sign_externally"),
    ],
)
def test_a_class_that_cant_serve_is_refused_when_the_signer_is_made(
    data_dir, settings, path, complaint
):
    backend = {"BACKEND": "pki.signers.external.ExternalSigner", "OPTIONS": {"class": path}}
    settings.PKI = replace(settings.PKI, signers={"external": backend})
    get_signer.cache_clear()

    with pytest.raises(OperatorError, match=complaint):
        get_signer("external")


def test_an_alias_that_isnt_configured_is_answered_with_those_that_are(data_dir):
    with pytest.raises(OperatorError, match=r"signer 'hsm' is not configured. .* has: keyfile"):
        get_signer("hsm")


# Keys in files


def key_file(data_dir):
    (path,) = (data_dir / "keys").iterdir()
    return path


def test_a_key_is_encrypted_and_its_owners_only(keyfile, data_dir):
    path = key_file(data_dir)

    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "key-passphrase").stat().st_mode) == 0o600


def test_a_passphrase_from_the_environment_is_written_nowhere(data_dir, monkeypatch):
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    reference = KeyFileSigner().store("ca", make_key())

    assert not (data_dir / "key-passphrase").exists()
    assert KeyFileSigner().private_key(reference).public_key() == make_key().public_key()


def test_a_wrong_passphrase_is_unavailable(keyfile, monkeypatch):
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "wrong")
    get_signer.cache_clear()

    with pytest.raises(SignerUnavailable):
        keyfile.sign()


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_key_file_is_unavailable(keyfile, data_dir, content):
    key_file(data_dir).write_bytes(content)
    get_signer.cache_clear()

    with pytest.raises(SignerUnavailable):
        keyfile.sign()


def test_another_CAs_key_is_noticed_by_the_check_and_signs_nothing(keyfile, data_dir):
    path = key_file(data_dir)
    path.unlink()
    KeyFileSigner().store(path.stem, make_key("ec-p384", 9))
    get_signer.cache_clear()

    with pytest.raises(SignerUnavailable):
        get_signer("keyfile").check(keyfile.authority.issuer)
    with pytest.raises(SignerUnavailable) as caught:
        keyfile.sign()
    assert caught.value.reason.code == "signer-misbehaved"


def test_a_key_is_never_overwritten(keyfile, data_dir):
    path = key_file(data_dir)
    before = path.read_bytes()

    with pytest.raises(OperatorError, match="keys are never overwritten"):
        KeyFileSigner().store(path.stem, make_key())

    assert path.read_bytes() == before


def test_a_key_that_cant_be_stored_is_said_in_a_sentence(data_dir):
    (data_dir / "keys").write_bytes(b"a file where a directory should be")

    with pytest.raises(OperatorError, match="The key cannot be stored: "):
        KeyFileSigner().store("ca", make_key())


def test_an_empty_passphrase_file_is_said_in_a_sentence(data_dir):
    (data_dir / "key-passphrase").write_bytes(b"\n")

    with pytest.raises(OperatorError, match="The passphrase of the CA keys cannot be used"):
        KeyFileSigner().store("ca", make_key())


def test_T22_no_key_in_repr_pickle_log_or_traceback(data_dir, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    canary = "canary-passphrase-7f3a"
    monkeypatch.setenv(PASSPHRASE_VARIABLE, canary)
    signer = KeyFileSigner()
    reference = signer.store("ca", make_key())
    secret = f"{make_key().private_numbers().private_value}"
    loaded = signer.private_key(reference)

    assert canary not in repr(vars(signer)) + repr(loaded)
    assert secret not in repr(vars(signer)) + repr(loaded)
    for unpicklable in (signer, loaded):
        with pytest.raises(TypeError):
            pickle.dumps(unpicklable)
    (data_dir / "keys" / reference).write_bytes(b"broken")
    fresh = KeyFileSigner()
    try:
        fresh.private_key(reference)
    except SignerUnavailable as error:
        told = "".join(traceback.format_exception(error))
        error = error.with_traceback(error.__traceback__.tb_next)  # this test's own locals
        request = RequestFactory().get("/")
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
        told += reporter.get_traceback_text() + reporter.get_traceback_html()
    assert "_load" in told
    for text in (told, caplog.text):
        assert canary not in text
        assert secret not in text
