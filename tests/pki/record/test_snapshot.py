"""What is published of a CA and those it succeeded."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.models import CertificateAuthority
from pki.record.snapshot import AuthoritySnapshot, ProfileSnapshot
from tests.support.builders import make_ca


def pem(*authorities):
    return "".join(each.certificate.public_bytes(Encoding.PEM).decode() for each in authorities)


@pytest.fixture(scope="module")
def line():
    """Three CAs, each the successor of the one before, each with a root of its own."""
    return [(make_ca(f"Device CA {number}"), make_ca(f"Root {number}")) for number in range(3)]


def published(rows, trusted):
    profile = ProfileSnapshot(None, AuthoritySnapshot(rows[-1]), trusted)
    found = pkcs7.load_der_pkcs7_certificates(profile.ca_certificates)
    return {each.subject.rfc4514_string().removeprefix("CN=") for each in found}


def rows_of(line, cross):
    rows = []
    for ca, root in line:
        predecessor = rows[-1] if rows else None
        rows.append(
            CertificateAuthority(
                pem=pem(ca),
                chain_pem=pem(root),
                cross_pem=pem(cross) if predecessor else "",
                successor_of_id=predecessor and predecessor.pk,
            )
        )
    return rows


def test_W16_predecessors_are_published_with_their_chains_and_the_cross_certificates(line):
    rows = rows_of(line, make_ca("cross"))

    assert published(rows, rows) == {
        *("Device CA 0", "Device CA 1", "Device CA 2", "Root 0", "Root 1", "Root 2", "cross")
    }


def test_W16_a_predecessor_that_nobody_trusts_any_more_ends_the_line(line):
    rows = rows_of(line, make_ca("cross"))

    assert published(rows, [rows[0], rows[2]]) == {"Device CA 2", "Root 2"}
