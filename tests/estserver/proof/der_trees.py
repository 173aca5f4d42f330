"""DER that is mutated element by element, with lengths that stay right, so that parsers go deep."""

import random
from collections.abc import Iterator, Sequence

from tests.estserver.proof.mutations import TOKENS_OF_DER, mutated

Node = list  # of a tag, and bytes or a list of nodes
CONSTRUCTED, OCTET_STRING = 0x20, 0x04


def parsed(data: bytes) -> list[Node]:
    """Return the elements in ``data``, each as its tag and its content; sound DER only.

    What is in an OCTET STRING, as the value of an extension is, counts as elements if it is some.
    """
    nodes, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            octets = length - 0x80
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        content = data[at : at + length]
        at += length
        is_deep = tag & CONSTRUCTED or (tag == OCTET_STRING and _is_sound(content))
        nodes.append([tag, parsed(content) if is_deep else content])
    return nodes


def _is_sound(data: bytes) -> bool:
    try:
        return bool(data) and encoded(parsed(data)) == data
    except IndexError:
        return False


def encoded(nodes: Sequence[Node]) -> bytes:
    """Return the DER of elements."""
    return b"".join(tlv(tag, c if isinstance(c, bytes) else encoded(c)) for tag, c in nodes)


def tlv(tag: int, content: bytes) -> bytes:
    """Return one element."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def mutated_elements(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of ``seeds`` with one to three elements changed, left out, doubled or moved."""
    nodes = parsed(dice.choice(seeds))
    for _ in range(dice.randint(1, 3)):
        siblings, place = dice.choice(list(_places(nodes)))
        tag, content = siblings[place]
        match dice.randrange(6):
            case 0 if isinstance(content, bytes) and content:
                siblings[place] = [tag, mutated(dice, [content], TOKENS_OF_DER)]
            case 1:
                siblings[place] = [dice.choice([tag ^ 1, 0x04, 0x0C, 0x13, 0x80, 0x82]), b"text"]
            case 2 if len(siblings) > 1:
                del siblings[place]
            case 3:
                siblings.insert(place, [tag, content])
            case 4:
                others = list(_places(parsed(dice.choice(seeds))))
                from_siblings, from_place = dice.choice(others)
                siblings[place] = from_siblings[from_place]
            case 5:
                siblings[place] = [tag, b"" if isinstance(content, bytes) else []]
    return encoded(nodes)


def _places(nodes: list[Node]) -> Iterator[tuple[list[Node], int]]:
    """Yield where each element is: the elements beside it, and its place among them."""
    for place, (_, content) in enumerate(nodes):
        yield nodes, place
        if isinstance(content, list):
            yield from _places(content)
