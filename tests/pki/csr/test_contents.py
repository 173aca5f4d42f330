"""What else a CSR may hold, and the rules for all of it."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.csr.check import CSRRules, check_csr
from pki.csr.reading import CHANGE_SUBJECT_NAME, asks_to_change_subject, parse_csr
from pki.reasons import Reason
from tests.pki.csr.judged import CHALLENGE, refusal_of
from tests.support.builders import make_csr

# The module ignores cryptography's warning about lengths of names, which it checks itself;
# pytest's own filters come first.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")


# --- attributes and extensions


def test_T34_requested_extensions_are_left_behind():
    wishes = [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"),
    ]

    plain, wishful = (check_csr(make_csr(extensions=e), CSRRules()) for e in ([], wishes))

    assert len(wishful.csr.extensions) == 3
    assert wishful.san is None
    assert wishful.subject.public_bytes() == plain.subject.public_bytes()


def test_W49_challenge_password_is_refused_by_default():
    refusal = refusal_of(make_csr(attributes=CHALLENGE), CSRRules())

    assert refusal.reason is Reason.POP_LINKING_UNVERIFIABLE
    assert "c2VjcmV0" not in refusal.message


def test_W49_challenge_password_is_reported_when_it_is_let_pass():
    parsed = check_csr(make_csr(attributes=CHALLENGE), CSRRules(pop_linking="ignore"))

    assert parsed.carries_challenge_password is True


def test_W26_change_subject_name_is_noticed():
    asking = parse_csr(make_csr(attributes=[(CHANGE_SUBJECT_NAME, b"x")]))

    assert asks_to_change_subject(asking)
    assert not asks_to_change_subject(parse_csr(make_csr(attributes=CHALLENGE)))


# --- rules


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"key_algorithms": frozenset({"rsa-1024"})}, "key algorithm 'rsa-1024'.*ec-p256"),
        ({"key_algorithms": frozenset()}, "no CSR could pass"),
        ({"subject_attributes": frozenset({"CN"})}, "subject attribute 'CN'.*countryName"),
        ({"san_rule": "all"}, "SAN rule 'all'.*own-name"),
        ({"pop_linking": "verify"}, "POP linking rule 'verify'.*refuse"),
    ],
)
def test_rules_with_unknown_words_are_refused_at_once(rules, complaint):
    with pytest.raises(ValueError, match=complaint):
        CSRRules(**rules)
