"""JSON on one line is laid out, and says afterwards what it said before."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotprov.json_text.layout import is_one_line, readable, readable_if_one_line
from iotprov.json_text.located import MAX_DEPTH, WORD
from tests.iotprov.samples import POLICY, TEMPLATE

ANY_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(ANY_JSON)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_pythons_writer_made_on_one_line_becomes_what_it_makes_on_many(data):
    laid_out = readable(json.dumps(data))

    assert laid_out == json.dumps(data, indent=2) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1.0, "a": 1e5, "b": "\\u00e9", "c": 100000000000000000000000}',
        '{"Action" :["iot:Connect" , "a,b:{}[]" ],"Resource":"x\\"y"}',
        POLICY,
        TEMPLATE,
    ],
)
def test_no_word_of_a_text_changes(text):
    assert re.findall(WORD, readable(text)) == re.findall(WORD, text)


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[" * 5000, "\u202e", '"a', "{'a': 1}"])
def test_what_is_not_json_stays_as_it_is(text):
    assert readable(text) == text


def test_a_text_that_would_outgrow_itself_stays_as_it_is():
    less, deep = ("[" * depth + "0" + "]" * depth for depth in (MAX_DEPTH, MAX_DEPTH + 1))

    assert readable(deep) == deep
    assert readable(less) != less


@pytest.mark.parametrize(
    ("text", "is_line"),
    [
        ('{"a": 1}', True),
        (" [1, 2]\n", True),
        ("{}", False),
        ("", False),
        ("{\n}", False),
        (POLICY, False),
    ],
)
def test_only_a_document_on_one_line_is_laid_out_unasked(text, is_line):
    assert is_one_line(text) is is_line
    assert (readable_if_one_line(text) != text) is is_line
