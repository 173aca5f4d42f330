"""The CAs that API Gateway trusts: what it takes, what changes, what is on record."""

import datetime
from dataclasses import replace
from io import StringIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.management import CommandError, call_command
from django.utils import timezone

from estserver.deploy.front_door.truststore_object import latest_version
from estserver.deploy.lifecycle.status import status
from estserver.deploy.truststore.bundle import (
    MAX_CERTIFICATES,
    Bundle,
    bundle_from_database,
    bundle_from_file,
    check_bundle,
    compare,
    lost_clients,
)
from estserver.deploy.truststore.pushes import (
    activate,
    active_version,
    push,
    wanted_bundle,
)
from estserver.deploy.truststore.record import last_activated, pushes_here
from estserver.deploy.truststore.versions import read_version
from estserver.models import TruststorePush
from pki.aws.clients import aws_client
from pki.encoding.certificates import fingerprint_of
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import DOMAIN, TESTER
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_ca

pytestmark = pytest.mark.django_db(transaction=True)


def bundle(*authorities):
    return Bundle(tuple(authority.certificate for authority in authorities))


# What API Gateway takes


def test_a_root_and_a_path_of_three_cas_are_fine():
    root = make_ca("root")
    middle = make_ca("middle", issuer=root)
    issuing = make_ca("issuing", issuer=middle)

    check_bundle(bundle(root, middle, issuing))


def test_a_path_that_ends_before_its_root_is_refused():
    middle = make_ca("middle", issuer=make_ca("root"))

    with pytest.raises(OperatorError, match=r"its path ends at CN=root, .* add the CAs up to"):
        check_bundle(bundle(middle))


def test_an_issuer_of_the_same_name_and_another_key_is_no_issuer():
    root, other = make_ca("root"), make_ca("root", key=ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(OperatorError, match="its path ends at CN=root"):
        check_bundle(bundle(make_ca("middle", issuer=root), other))


def test_more_levels_than_four_are_refused():
    path = [make_ca("level 0")]
    for number in range(1, 4):
        path.append(make_ca(f"level {number}", issuer=path[-1]))

    with pytest.raises(OperatorError, match="more than 4 levels") as caught:
        check_bundle(bundle(*path))
    assert "level 2" not in str(caught.value).replace("until", "")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (lambda: ec.generate_private_key(ec.SECP521R1()), "secp521r1 is not RSA, P-256 or P-384"),
        (lambda: rsa.generate_private_key(65537, 1024), "RSA with 1024 bits, wanted 2048 or more"),
    ],
)
def test_keys_that_api_gateway_doesnt_take_are_refused(key, words):
    with pytest.raises(OperatorError, match=words):
        check_bundle(bundle(make_ca("odd", key=key())))


def test_a_weak_signature_is_refused(monkeypatch):
    monkeypatch.setattr("estserver.deploy.truststore.bundle._WEAK_HASHES", (hashes.SHA256,))

    with pytest.raises(OperatorError, match="signed with sha256, wanted SHA-256 or stronger"):
        check_bundle(bundle(make_ca("old")))


def test_expired_and_non_ca_certificates_and_too_many_are_refused(monkeypatch):
    gone = make_ca("gone", not_after=timezone.now() - datetime.timedelta(hours=1))
    with pytest.raises(OperatorError, match="expired"):
        check_bundle(bundle(gone))
    with pytest.raises(OperatorError, match="it is empty"):
        check_bundle(Bundle(()))
    assert MAX_CERTIFICATES == 1000
    monkeypatch.setattr("estserver.deploy.truststore.bundle.MAX_CERTIFICATES", 1)
    with pytest.raises(OperatorError, match="it has 2 certificates, and API Gateway takes 1"):
        check_bundle(bundle(make_ca("one"), make_ca("two")))


def test_a_leaf_is_no_ca():
    from tests.support.builders import make_certificate

    ca = make_ca("root")
    with pytest.raises(OperatorError, match="not a CA certificate"):
        check_bundle(Bundle((ca.certificate, make_certificate(ca))))


# Where it comes from


def test_it_holds_client_cas_and_device_cas_each_once(installation):
    held = bundle_from_database()

    on_record = CertificateAuthority.objects.values_list("fingerprint_sha256", flat=True)
    assert sorted(map(fingerprint_of, held.certificates)) == sorted(on_record)
    assert bundle_from_database().pem == held.pem


def test_a_revoked_ca_is_not_in_it(installation, device_ca):
    device_ca.status = CertificateAuthority.Status.REVOKED
    device_ca.save()

    assert fingerprint_of(device_ca.certificate) not in map(
        fingerprint_of, bundle_from_database().certificates
    )


def test_without_a_client_ca_it_says_what_to_do(db):
    with pytest.raises(OperatorError, match=r"Run manage\.py bootstrap_cas"):
        bundle_from_database()


def test_a_file_that_holds_no_certificates_is_named(tmp_path):
    path = tmp_path / "cas.pem"
    path.write_text("nothing")

    with pytest.raises(OperatorError, match=r"cas.pem cannot be read as CA certificates"):
        bundle_from_file(path)


def test_a_comparison_is_by_certificate():
    one, two, three = make_ca("one"), make_ca("two"), make_ca("three")

    difference = compare(bundle(one, two), bundle(two, three))

    assert difference.added == (three.certificate,)
    assert difference.removed == (one.certificate,)
    assert difference.kept == (two.certificate,)


def test_a_ca_with_live_clients_or_unknown_ones_is_missed(installation, client_ca):
    stranger = make_ca("somebody's factory")
    gone = make_ca("gone", not_after=timezone.now() - datetime.timedelta(hours=1))

    lost = lost_clients([client_ca.certificate, stranger.certificate, gone.certificate])

    assert [(each.live, each.has_unrecorded) for each in lost] == [(1, False), (0, True)]


# Pushing, activating, taking back


def test_T27_the_domain_is_pinned_to_a_version_that_is_on_record(guarded):
    row = TruststorePush.objects.get()

    assert row.version_id == active_version(guarded) == latest_version(guarded)
    assert row.sha256 == bundle_from_database().sha256
    assert row.activated_at is not None
    rows = AuditEvent.objects.filter(action__startswith="truststore").order_by("at")
    assert [row.action for row in rows] == ["truststore.push", "truststore.activate"]


def test_a_push_changes_nothing_before_it_is_activated(guarded, new_ca, performer):
    before = active_version(guarded)

    pushed = push(
        guarded, bundle_from_database(), actor=TESTER, reason="second factory", performer=performer
    )

    assert active_version(guarded) == before != pushed.version_id
    activate(guarded, pushed.version_id, actor=TESTER, reason="go", performer=performer)
    assert active_version(guarded) == pushed.version_id
    assert last_activated(pushes_here(guarded)) == pushed


def test_what_lies_there_already_is_not_pushed_again(guarded, performer):
    again = push(guarded, bundle_from_database(), actor=TESTER, reason="again", performer=performer)

    assert TruststorePush.objects.get() == again


def test_a_push_whose_record_was_lost_is_recorded_by_the_next(guarded, performer):
    TruststorePush.objects.all().delete()

    again = push(guarded, bundle_from_database(), actor=TESTER, reason="x", performer=performer)

    assert again.version_id == active_version(guarded)


def test_T27_a_version_that_nobody_pushed_is_not_activated(guarded, performer):
    swapped = swap(guarded)

    with pytest.raises(OperatorError, match="was not pushed by this tool"):
        activate(guarded, swapped, actor=TESTER, reason="x", performer=performer)


def swap(deployment):
    """Somebody with rights in S3 puts a CA of theirs there."""
    answer = aws_client("s3").put_object(
        Bucket=deployment.truststore_bucket,
        Key="truststore.pem",
        Body=bundle(make_ca("intruder")).pem,
    )
    return answer["VersionId"]


def truststore_rows(deployment):
    return [(row.level, row.finding) for row in status(deployment, []) if row.name == "truststore"]


def test_T27_a_swapped_object_or_version_is_drift(guarded):
    assert [level for level, _ in truststore_rows(guarded)] == ["OK"]

    swapped = swap(guarded)
    [(first, _), (second, text)] = truststore_rows(guarded)
    assert (first, second) == ("OK", "FAIL")
    assert swapped in text

    held = {"truststoreUri": f"s3://{guarded.truststore_bucket}/truststore.pem"}
    moto_gaps.change_domain(DOMAIN, mutualTlsAuthentication={**held, "truststoreVersion": swapped})
    level, text = truststore_rows(guarded)[0]
    assert level == "FAIL"
    assert text.startswith(f"the domain trusts version {swapped}, and version ")


def test_warnings_of_api_gateway_are_passed_on(guarded, performer):
    held = {
        "truststoreUri": f"s3://{guarded.truststore_bucket}/truststore.pem",
        "truststoreVersion": active_version(guarded),
        "truststoreWarnings": ["CN=x expires soon"],
    }
    moto_gaps.change_domain(DOMAIN, mutualTlsAuthentication=held)

    notes = activate(
        guarded, active_version(guarded), actor=TESTER, reason="x", performer=performer
    )

    assert notes == (f"API Gateway warns of the truststore of {DOMAIN}: CN=x expires soon.",)


# The command


def run(*arguments):
    out = StringIO()
    call_command("aws_truststore", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_the_difference_and_the_versions(guarded, new_ca):
    shown = run()

    assert f"+ {new_ca.certificate.subject.rfc4514_string()}" in shown
    assert f"{active_version(guarded)}" in shown
    assert "active" in shown
    assert TruststorePush.objects.count() == 1


def test_the_command_pushes_and_goes_back(guarded, new_ca):
    first = active_version(guarded)

    shown = run("--push", "--reason", "second factory")
    assert f"active: version {active_version(guarded)}" in shown
    assert new_ca.certificate in read_version(guarded, active_version(guarded)).certificates

    with pytest.raises(
        CommandError, match=r"new client CA.*and those signed elsewhere\. Add --yes"
    ):
        run("--to", first, "--reason", "a mistake")
    assert active_version(guarded) != first
    run("--to", first, "--reason", "a mistake", "--yes")
    assert active_version(guarded) == first


def test_T27_a_ca_with_live_clients_is_not_removed_unasked(guarded, client_ca, new_ca):
    client_ca.status = CertificateAuthority.Status.REVOKED
    client_ca.save()

    with pytest.raises(CommandError, match="1 live certificates on record"):
        run("--push", "--reason", "x")
    assert TruststorePush.objects.count() == 1


def test_a_dry_run_shows_the_call_and_makes_none(guarded, new_ca):
    shown = run("--push", "--dry-run")

    assert "s3:PutObject" in shown
    assert "bytes)" in shown
    assert TruststorePush.objects.count() == 1


def test_a_change_needs_a_reason(guarded):
    with pytest.raises(CommandError, match="Say why with --reason"):
        run("--push")


def test_an_unknown_version_is_named(guarded):
    with pytest.raises(CommandError, match="There is no version nonsense"):
        run("--to", "nonsense", "--reason", "x")


def test_a_bundle_read_back_is_the_bundle_that_was_put(guarded):
    held = read_version(guarded, active_version(guarded))

    assert held.pem == bundle_from_database().pem
    assert all(isinstance(each, x509.Certificate) for each in held.certificates)


# The end of trust in a CA


def distrust(*arguments):
    out = StringIO()
    call_command("distrust_ca", *arguments, "--reason", "its key was copied", "--yes", stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("where", ["on Lambda", "--here"])
def test_T46_distrust_ca_activates_the_truststore_and_waits(guarded, new_ca, settings, where):
    run("--push", "--here", "--reason", "second factory")
    settings.IS_LAMBDA = where == "on Lambda"

    shown = distrust("new-client", *([] if settings.IS_LAMBDA else ["--here"]))

    held = read_version(guarded, active_version(guarded))
    assert new_ca.certificate not in held.certificates
    assert held.pem == bundle_from_database().pem
    assert f"active: version {active_version(guarded)} of the truststore" in shown
    assert last_activated(pushes_here(guarded)).version_id == active_version(guarded)


def test_T46_a_laptops_cas_do_not_get_into_the_gateway(guarded, new_ca):
    before = active_version(guarded)

    shown = distrust("new-client")

    assert active_version(guarded) == before
    assert "manage.py aws_truststore --push --yes --reason ... Add --here if" in shown


def test_T46_without_a_domain_nothing_remains(installation):
    shown = distrust("client-ca")

    assert "aws_truststore" not in shown


def test_T46_a_gateway_that_fails_is_named_and_the_ca_is_distrusted(guarded, new_ca):
    run("--push", "--here", "--reason", "second factory")
    with (
        failing("s3", "PutObject", Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match="not everything follows yet") as caught,
    ):
        distrust("new-client", "--here")

    assert caught.value.returncode == 3
    row = CertificateAuthority.objects.get(name="new-client")
    assert row.status == CertificateAuthority.Status.REVOKED


def test_T46_the_configured_file_does_not_bring_a_distrusted_ca_back(
    installation, client_ca, settings, tmp_path
):
    path = tmp_path / "truststore.pem"
    path.write_text(client_ca.pem)
    chosen = replace(settings.PKI.client_ca, truststore_path=path)
    settings.PKI = replace(settings.PKI, client_ca=chosen)

    distrust("client-ca")

    assert client_ca.certificate not in wanted_bundle().certificates
