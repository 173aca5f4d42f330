"""Bytes that a careless or hostile sender might make of good ones, for property tests."""

from hypothesis import strategies as st


@st.composite
def mutations(draw, seeds):
    """One of ``seeds`` with up to four places spliced, cut or overwritten; never empty."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 3))
        data[start : start + length] = draw(st.binary(max_size=4))
    return bytes(data) or seeds[0]
