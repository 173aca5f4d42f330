"""A CA that is distrusted: whatever leads to it is refused from the next request on (T46)."""

import io
import re
from io import StringIO

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.distrust import distrust_authority, retire_authority
from pki.authorities.import_ca import import_authority
from pki.authorities.succeed import make_successor
from pki.exceptions import ClientRefused
from pki.issuance import issue
from pki.issuance.client_authentication import authenticate_certificate
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from tests.conftest import TESTER
from tests.estserver.est.conftest import change_settings
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

Purpose = CertificateAuthority.Purpose
Status = CertificateAuthority.Status
State = IssuedCertificate.State


def distrust(ca, **kwargs):
    return distrust_authority(ca, reason="its key was copied", actor=TESTER, **kwargs)


def refused_for_distrust(response):
    return (response.status_code, response.reason) == (403, "ca-distrusted")


# Clients


def test_T46_a_distrusted_client_CA_lets_nobody_in(est_client, client_ca):
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200

    distrust(client_ca)

    for csr in (make_csr("sensor-1"), make_csr("sensor-2", key=make_key(index=2))):
        assert refused_for_distrust(est_client.simpleenroll(csr))
        assert refused_for_distrust(est_client.simplereenroll(csr))


def test_T46_other_client_CAs_go_on(est_client, client_ca, trust):
    outside = make_ca("Outside")
    trust(outside)
    theirs = est_client.using(make_certificate(outside, "their client"))

    distrust(client_ca)

    assert theirs.simpleenroll(make_csr("sensor-1")).status_code == 200


def chain_of(*certificates):
    return tuple(one.public_bytes(Encoding.DER) for one in certificates)


@pytest.mark.parametrize("distrusted", ["root", "middle"])
def test_T46_no_intermediate_leads_round_it(installation, trust, distrusted):
    root = make_ca("Root")
    middle = make_ca("Middle", issuer=root)
    leaf = make_certificate(middle, "a client")
    rows = {"root": trust(root, name="root"), "middle": trust(middle, name="middle")}
    chain = chain_of(leaf, middle.certificate)
    assert authenticate_certificate(chain[0], chain).authority == rows["middle"]

    distrust(rows[distrusted])

    # The middle one still has a path to the root that is on record.
    for sent in (chain, chain[:1], chain_of(leaf, middle.certificate, root.certificate)):
        with pytest.raises(ClientRefused) as refused:
            authenticate_certificate(sent[0], sent)
        assert refused.value.reason is Reason.CA_DISTRUSTED


def test_T46_an_intermediate_that_is_not_on_record_leads_to_it(installation, trust):
    root = make_ca("Root")
    row = trust(root, name="root")
    middle = make_ca("Middle", issuer=root)
    chain = chain_of(make_certificate(middle, "a client"), middle.certificate)
    assert authenticate_certificate(chain[0], chain).authority == row

    distrust(row)

    with pytest.raises(ClientRefused) as refused:
        authenticate_certificate(chain[0], chain)
    assert refused.value.reason is Reason.CA_DISTRUSTED


def test_T46_CAs_below_it_and_with_its_key_go_with_it(installation, trust):
    root = make_ca("Root")
    middle = make_ca("Middle", issuer=root)
    lowest = make_ca("Lowest", issuer=middle)
    rows = [trust(root, name="root"), trust(middle, name="middle"), trust(lowest, name="lowest")]
    apart = trust(make_ca("Apart"), name="apart")

    newly = distrust(rows[0])

    assert {row.name for row in newly} == {"root", "middle", "lowest"}
    apart.refresh_from_db()
    assert apart.status == Status.ACTIVE


def test_T46_it_does_not_come_back_by_another_certificate(installation, trust):
    root = make_ca("Root")
    distrust(trust(root, name="root"))
    below = make_ca("Below", issuer=root)
    same_key = make_ca("Root renewed", key=root.key)

    for ca in (below, same_key):
        with pytest.raises(OperatorError, match="leads to root, which is distrusted"):
            trust(ca, name="again")
    assert not CertificateAuthority.objects.filter(name="again").exists()


# Issuing, renewing, publishing


def test_T46_nothing_is_issued_from_it_nor_renewed_nor_published(est_client, device_ca):
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)

    distrust(device_ca)

    assert refused_for_distrust(device.simplereenroll(make_csr("sensor-1")))
    for response in (est_client.simpleenroll(make_csr("sensor-1")), est_client.cacerts()):
        assert (response.status_code, response.reason) == (404, "label-ca-distrusted")
    # A client that nobody distrusts does not renew its certificates either.
    new = make_successor_by_hand(device_ca)
    change_settings(CertificateProfile.objects.get(active_label=""), ca=new)
    assert refused_for_distrust(est_client.simplereenroll(make_csr("sensor-1")))
    assert est_client.simpleenroll(make_csr("sensor-1", key=make_key(index=0))).status_code == 200
    assert est_client.cacerts().certificates == [new.certificate]


def make_successor_by_hand(ca):
    """Make what an operator makes when there is no device CA any more."""
    bootstrap_cas(actor=TESTER)
    return CertificateAuthority.objects.device().issuing().exclude(pk=ca.pk).get()


def test_T46_after_a_rollover_the_new_CA_goes_on_alone(est_client, device_ca):
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)
    new = make_successor(device_ca, actor=TESTER, reason="half of its time is over")

    distrust(device_ca)

    assert refused_for_distrust(device.simplereenroll(make_csr("sensor-1")))
    assert est_client.cacerts().certificates == [new.certificate]
    csr = make_csr("sensor-1", key=make_key(index=1))
    renewed = est_client.using(est_client.simpleenroll(csr).certificate)
    assert renewed.simplereenroll(csr).status_code == 200


def test_T46_a_certificate_that_is_being_signed_is_not_issued(
    est_client, client_ca, device_ca, monkeypatch
):
    sign = issue.sign

    def sign_while_it_is_distrusted(*args):
        certificate = sign(*args)
        CertificateAuthority.objects.filter(pk=client_ca.pk).update(status=Status.REVOKED)
        return certificate

    monkeypatch.setattr(issue, "sign", sign_while_it_is_distrusted)

    assert refused_for_distrust(est_client.simpleenroll(make_csr("sensor-1")))
    assert not IssuedCertificate.objects.filter(common_name="sensor-1", state=State.ISSUED).exists()


def test_T46_intents_of_the_moment_become_void(est_client, client_ca, monkeypatch):
    def crash(*args):
        raise RuntimeError

    monkeypatch.setattr(issue, "sign", crash)
    est_client.simpleenroll(make_csr("sensor-1"))
    assert IssuedCertificate.objects.get(common_name="sensor-1").state == State.INTENT

    distrust(client_ca)

    assert IssuedCertificate.objects.get(common_name="sensor-1").state == State.VOID


def test_T46_no_row_of_a_certificate_is_written(est_client, device_ca, client_ca):
    est_client.simpleenroll(make_csr("sensor-1"))
    before = list(IssuedCertificate.objects.values().order_by("pk"))

    distrust(device_ca)
    distrust(client_ca)

    assert list(IssuedCertificate.objects.values().order_by("pk")) == before


def test_T46_it_is_on_the_trail_and_repeated_without_effect(client_ca):
    assert distrust(client_ca) == [client_ca]
    assert distrust(client_ca) == []

    events = AuditEvent.objects.filter(action="distrust-ca")
    assert [(event.target, event.reason) for event in events] == [
        ("ca:client-ca", "its key was copied")
    ]
    with pytest.raises(OperatorError, match="needs a reason"):
        distrust_authority(client_ca, reason=" ", actor=TESTER)


# Retiring


def test_T46_a_CA_is_retired_after_its_rollover(est_client, device_ca):
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)
    new = make_successor(device_ca, actor=TESTER, reason="half of its time is over")
    with pytest.raises(OperatorError, match="1 live certificates depend on device-ca"):
        retire_authority(device_ca, reason="over", actor=TESTER)
    assert device.simplereenroll(make_csr("sensor-1")).status_code == 200

    retire_authority(device_ca, reason="over", actor=TESTER, is_forced=True)

    assert device_ca.status == Status.RETIRED
    response = device.simplereenroll(make_csr("sensor-1"))
    assert (response.status_code, response.reason) == (403, "client-certificate-untrusted")
    assert est_client.cacerts().certificates == [new.certificate]


def test_T46_a_CA_that_issues_is_not_retired(device_ca):
    with pytest.raises(OperatorError, match=r"device-ca is active\. Only a CA that is retiring"):
        retire_authority(device_ca, reason="over", actor=TESTER, is_forced=True)


# The commands


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_T46_the_command_shows_what_stops_and_waits_for_yes(est_client, device_ca, client_ca):
    est_client.simpleenroll(make_csr("sensor-1"))
    out = StringIO()

    with pytest.raises(CommandError, match=r"Nothing was changed, .* Add --yes"):
        call_command("distrust_ca", "device-ca", "--reason", "copied", stdout=out)

    assert "Live device certificates that stop authenticating: 1." in out.getvalue()
    assert re.search(r"left without a CA.*: default\.", out.getvalue())
    device_ca.refresh_from_db()
    assert device_ca.status == Status.ACTIVE
    shown = run("distrust_ca", "client-ca", "--reason", "copied", "--yes")
    assert "Profiles that no client can use any more" in shown
    assert "distrusted: client-ca" in shown
    assert "handshakes follow within 5 seconds" in shown
    assert refused_for_distrust(est_client.simpleenroll(make_csr("sensor-1")))
    again = run("distrust_ca", "client-ca", "--reason", "copied", "--yes")
    assert "distrusted before" in again


def test_T46_retire_ca_says_what_depends_on_it(est_client, device_ca):
    est_client.simpleenroll(make_csr("sensor-1"))
    make_successor(device_ca, actor=TESTER, reason="half of its time is over")

    out = io.StringIO()
    with pytest.raises(CommandError, match="Add --yes"):
        call_command("retire_ca", "device-ca", "--reason", "over", stdout=out)
    assert "live certificates that depend on device-ca: 1" in out.getvalue()
    device_ca.refresh_from_db()
    assert device_ca.status == Status.RETIRING

    assert "retired: device-ca" in run("retire_ca", "device-ca", "--reason", "over", "--yes")


def test_T46_a_CA_with_a_distrusted_root_above_it_goes_too(db, data_dir):
    root = make_ca("Root")
    below = make_ca("Device CA", issuer=root)
    row = import_authority(
        Purpose.DEVICE,
        "below",
        [below.certificate, root.certificate],
        key=below.key,
        signer="keyfile",
        actor=TESTER,
    )
    root_row = import_authority(
        Purpose.CLIENT, "root", [root.certificate], key=None, signer="", actor=TESTER
    )

    assert {one.name for one in distrust(root_row)} == {"root", "below"}
    row.refresh_from_db()
    assert row.status == Status.REVOKED
