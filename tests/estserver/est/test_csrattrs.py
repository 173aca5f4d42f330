"""``/csrattrs``: what a CSR should hold, for everyone."""

import base64
import subprocess

import pytest

from pki.encoding.csrattrs import encode_csr_attributes
from pki.operators.errors import OperatorError

P256_KEYS = "1.2.840.10045.2.1=1.2.840.10045.3.1.7"
RSA_3072_KEYS = "1.2.840.113549.1.1.1=3072"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"

# The first is libest's own constant.
VECTORS = {
    "MAsGCSqGSIb3DQEJBw==": [CHALLENGE_PASSWORD],
    "MAoGCCqGSM49BAMC": [ECDSA_SHA256],
}


@pytest.mark.parametrize("encoded", VECTORS)
def test_W35_known_vectors(encoded):
    assert base64.b64encode(encode_csr_attributes(VECTORS[encoded])).decode() == encoded


# What `openssl asn1parse -genconf` makes of a description.
GENERATED = {
    "asn1=SEQUENCE:all\n[all]\na=SEQUENCE:key\n[key]\n"
    "t=OID:1.2.840.10045.2.1\nv=SET:curve\n[curve]\nc=OID:1.2.840.10045.3.1.7\n": [P256_KEYS],
    "asn1=SEQUENCE:all\n[all]\na=OID:2.5.4.5\nb=OID:0.9.2342.19200300.100.1.1\n": [
        "2.5.4.5",
        "0.9.2342.19200300.100.1.1",
    ],
    "asn1=SEQUENCE:all\n[all]\na=OID:2.999.1234567890.0.127.128.16383.16384\n": [
        "2.999.1234567890.0.127.128.16383.16384"
    ],
    "asn1=SEQUENCE:all\n[all]\na=SEQUENCE:key\n[key]\n"
    "t=OID:1.2.840.113549.1.1.1\nv=SET:size\n[size]\ns=INTEGER:4096\n": [
        "1.2.840.113549.1.1.1=4096"
    ],
    # 128 and 255: a leading zero octet keeps the number positive.
    "asn1=SEQUENCE:all\n[all]\na=SEQUENCE:k\nb=SEQUENCE:l\n[k]\nt=OID:1.2.3\nv=SET:m\n[m]\n"
    "s=INTEGER:128\n[l]\nt=OID:1.2.3\nv=SET:n\n[n]\ns=INTEGER:0\n": ["1.2.3=128", "1.2.3=0"],
    "asn1=SEQUENCE:all\n[all]\n" + "".join(f"o{n}=OID:1.3.6.1.4.1.311.{n}\n" for n in range(40)): [
        f"1.3.6.1.4.1.311.{n}" for n in range(40)
    ],
}


@pytest.mark.parametrize("configuration", GENERATED)
def test_W35_the_encoder_writes_what_openssl_writes(tmp_path, configuration):
    (tmp_path / "asn1.conf").write_text(configuration)
    command = ["openssl", "asn1parse", "-genconf", "asn1.conf", "-noout", "-out", "asn1.der"]
    subprocess.run(command, cwd=tmp_path, check=True)

    assert encode_csr_attributes(GENERATED[configuration]) == (tmp_path / "asn1.der").read_bytes()


@pytest.mark.parametrize(
    "line", ["", "x", "1", "1.2.x", "3.1.1", "1.40.1", "-1.2.3", "1.2.3=", "1.2.3=x", "1.2.3=-1"]
)
def test_a_line_that_is_no_attribute_is_refused_with_what_was_found(line):
    with pytest.raises(ValueError, match=r"is not an|neither an|below zero"):
        encode_csr_attributes([line])


def test_W33_nothing_to_say_is_204_without_body_and_content_type(stranger):
    response = stranger.csrattrs()

    assert response.status_code == 204
    assert response.body == b""
    # RFC 9110 8.6: a 204 has no Content-Length either.
    assert response.headers == {}


def test_W33_W34_what_the_profile_says_is_for_everyone(
    stranger, est_client, change_default_profile
):
    change_default_profile(csrattrs=[ECDSA_SHA256, P256_KEYS])
    for client in (stranger, est_client):
        response = client.csrattrs()

        assert response.status_code == 200
        assert response["Content-Type"] == "application/csrattrs"
        der = base64.b64decode(response.body.removesuffix(b"\n"), validate=True)
        assert der == encode_csr_attributes([ECDSA_SHA256, P256_KEYS])


def test_W33_labels_say_different_things(stranger, add_label):
    add_label("rsa", csrattrs=[RSA_3072_KEYS])

    assert stranger.csrattrs().status_code == 204
    assert stranger.at("rsa").csrattrs().status_code == 200


def test_W49_csrattrs_never_asks_for_what_cannot_be_verified(change_default_profile):
    with pytest.raises(OperatorError, match="challengePassword"):
        change_default_profile(csrattrs=[ECDSA_SHA256, CHALLENGE_PASSWORD])


@pytest.mark.parametrize(
    "lines", [["x"], "1.2.3", [1], {"a": 1}, ["1.2.3=1.2.x"], ["1.2.3"] * 9999]
)
def test_a_profile_with_wrong_attributes_is_refused_when_it_is_written(
    change_default_profile, lines
):
    with pytest.raises(OperatorError, match="csrattrs"):
        change_default_profile(csrattrs=lines)
