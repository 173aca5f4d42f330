"""A process that judges mutated CSRs: the parser of the EST side, then the policy of profiles.

Arguments: the seed, the first number, how many, and a file that always holds the input it is at, so
that a crash of the process leaves it there. It writes one line of JSON: answers by reason, memory,
and the number and error of an input that raised anything but a refusal.
"""

import base64
import json
import mmap
import os
import struct
import sys
import warnings
from collections import Counter
from pathlib import Path

from estserver.est.parsers import decode_csr
from pki.csr.check import CSRRules, check_csr
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.exceptions import CSRRejected
from tests.estserver.proof.der_trees import mutated_elements
from tests.estserver.proof.gauges import Gauges
from tests.estserver.proof.mutations import TOKENS_OF_DER, TOKENS_OF_HTTP, dice_for, mutated
from tests.estserver.proof.valid_csrs import CSRS, REQUEST_INFOS, signed

RULES = (
    CSRRules(),
    CSRRules(
        key_algorithms=frozenset({"ec-p256", "ec-p384", "rsa-2048"}),
        subject_attributes=frozenset(SUBJECT_ATTRIBUTES),
        san_rule="any",
        pop_linking="ignore",
    ),
    CSRRules(
        subject_attributes=frozenset(SUBJECT_ATTRIBUTES), san_rule="own-name", san_excess="drop"
    ),
)
LOOK_EVERY = 500
LENGTH = struct.Struct("<I")
PLACE_BYTES = 64 * 1024
"""The size of the file: larger than any input."""


def mutation(seed: int, number: int) -> tuple[bytes, CSRRules]:
    """Return the body with this number, and the rules that it is judged by.

    Most are mutated before their signature, which gets them past the proof of possession.
    """
    dice = dice_for(seed, number)
    rules = dice.choice(RULES)
    match dice.randrange(6):
        case 0 | 1:
            return base64.b64encode(signed(mutated_elements(dice, REQUEST_INFOS))), rules
        case 2:
            return base64.b64encode(signed(mutated(dice, REQUEST_INFOS, TOKENS_OF_DER))), rules
        case 3:
            return base64.b64encode(mutated_elements(dice, CSRS)), rules
        case 4:
            texts = [base64.encodebytes(der) for der in CSRS]
            return mutated(dice, texts, TOKENS_OF_HTTP), rules
        case _:
            return base64.b64encode(mutated(dice, CSRS, TOKENS_OF_DER)), rules


def answer_to(body: bytes, rules: CSRRules) -> str:
    """Return the reason of a refusal, or "taken". Any other exception is a failure."""
    try:
        check_csr(decode_csr(body), rules)
    except CSRRejected as refusal:
        if not refusal.message.isprintable():
            raise ValueError(f"the message is not printable: {refusal.message!r}") from refusal
        return str(refusal.reason)
    return "taken"


def judge_all(seed: int, numbers: range, place: mmap.mmap) -> dict[str, object]:
    """Judge the mutations with these numbers; stop at the first failure."""
    gauges = Gauges(lambda: [os.getpid()])
    answers: Counter[str] = Counter()
    failed = None
    for number in numbers:
        body, rules = mutation(seed, number)
        LENGTH.pack_into(place, 0, len(body))
        place[LENGTH.size : LENGTH.size + len(body)] = body
        try:
            answers[answer_to(body, rules)] += 1
        except Exception as error:  # noqa: BLE001  # any: that is what is looked for
            failed = [number, f"{type(error).__name__}: {error}"]
            break
        if number % LOOK_EVERY == 0:
            gauges.look(number)
    is_measured = len(gauges.samples) > 8
    return {
        "answers": dict(answers),
        "failed": failed,
        "grown": gauges.grown() if is_measured else 0.0,
        "growth": gauges.growth() if is_measured else 0.0,
    }


def input_in(place: bytes) -> bytes:
    """Return the input that the file holds."""
    (length,) = LENGTH.unpack_from(place)
    return place[LENGTH.size : LENGTH.size + length]


def main() -> None:
    """Judge what the command line says."""
    seed, first, count = map(int, sys.argv[1:4])
    warnings.simplefilter("ignore")  # as a server has it: what is deprecated in a CSR is no fault
    with Path(sys.argv[4]).open("r+b") as file, mmap.mmap(file.fileno(), PLACE_BYTES) as place:
        print(json.dumps(judge_all(seed, range(first, first + count), place)))  # noqa: T201


if __name__ == "__main__":
    main()
