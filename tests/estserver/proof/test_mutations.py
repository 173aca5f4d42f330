"""The mutations themselves: they reach every depth of a CSR, and a seed repeats them."""

import pytest
from cryptography import x509

from tests.estserver.proof.der_trees import encoded, mutated_elements, parsed
from tests.estserver.proof.mutations import TOKENS_OF_DER, dice_for, mutated
from tests.estserver.proof.valid_csrs import CSRS, REQUEST_INFOS, signed


@pytest.mark.parametrize("der", [*CSRS, *REQUEST_INFOS])
def test_an_unchanged_tree_is_the_same_der(der):
    assert encoded(parsed(der)) == der


def test_the_value_of_an_extension_is_part_of_the_tree():
    """Else no mutation of a subject alternative name would have sound lengths around it."""
    der = encoded([[0x30, [[0x04, encoded([[0x30, [[0x82, b"a.example.com"]]]])]]]])

    assert parsed(der) == [[0x30, [[0x04, [[0x30, [[0x82, b"a.example.com"]]]]]]]]


def test_a_csr_that_is_signed_by_hand_is_one():
    assert all(x509.load_der_x509_csr(signed(info)).is_signature_valid for info in REQUEST_INFOS)


def test_a_seed_repeats_its_mutations():
    def made(seed):
        dice = [dice_for(seed, number) for number in range(30)]
        return [(mutated(d, CSRS, TOKENS_OF_DER), mutated_elements(d, CSRS)) for d in dice]

    assert made(5) == made(5)
    assert made(5) != made(6)
