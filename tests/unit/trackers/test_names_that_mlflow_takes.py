"""Names and values as MLflow takes them, and the note of what was changed."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from haetae.trackers.mlflow_names import LONGEST_KEY, Notes, registered_name


def test_a_slice_reads_as_key_and_value():
    notes = Notes()
    assert notes.key("rouge/language=ko") == "rouge/language:ko"
    assert not notes


def test_letters_of_every_script_are_kept():
    assert Notes().key("정확도/주제=환불") == "정확도/주제:환불"


@given(st.text(min_size=1, max_size=400))
@example("..")
@example("a/../b")
@example("/")
@example("a//b")
@example(" padded ")
def test_every_name_is_mapped_to_one_that_mlflow_takes(name: str):
    key = Notes().key(name)
    assert re.fullmatch(r"[/\w.\- :]+", key)
    assert len(key) <= LONGEST_KEY
    assert all(piece not in ("", ".", "..") for piece in key.split("/"))


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
@example("a/x=1/2", "a/x=1?2")
def test_two_names_stay_two(one: str, other: str):
    same_but_for_the_slice_sign = one.replace("=", ":", 1) == other.replace("=", ":", 1)
    if one != other and not same_but_for_the_slice_sign:
        assert Notes().key(one) != Notes().key(other)


def test_a_mapped_name_is_noted_and_always_the_same():
    first, second = Notes(), Notes()
    mapped = first.key("rouge/topic=환불/배송?")
    assert mapped.startswith("rouge/topic:환불_배송_-")
    assert second.key("rouge/topic=환불/배송?") == mapped
    assert first.renamed == {"rouge/topic=환불/배송?": mapped}


def test_a_long_value_is_cut_and_its_length_noted():
    notes = Notes()
    assert len(notes.value("target.system", "x" * 100_000)) == 500
    assert notes.truncated == {"target.system": 100_000}


def test_a_registered_name_in_another_script_keeps_its_own_place():
    assert registered_name("support-llm") == "support-llm"
    assert registered_name("고객") != registered_name("상담")
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", registered_name("고객-llm"))
