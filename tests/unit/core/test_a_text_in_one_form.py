"""Normal forms are those of the standard library, and no run of marks holds up a run."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core.normal_form import Form, normal_form
from haetae.metrics.form.numerals import normalised
from haetae.metrics.judges.suspicion import addressed
from haetae.metrics.reference.normalise import unicode_normalise
from haetae.metrics.text import nfc

FORMS: tuple[Form, ...] = ("NFC", "NFKC")
LETTERS = "aáấ가각ㄱᄀ\u1161\u11a8かﾊ한\ufdfa"
MARKS = "\u0301\u0316\u0323\u0344\u0345\u034f\u0f71\u0f73\u0f75\u0f81\u093c\u3099\uff9e\uff9f\u20dd\u302e"


@pytest.mark.parametrize("form", FORMS)
@given(text=st.lists(st.text(LETTERS, max_size=2) | st.text(MARKS, min_size=25, max_size=60)).map("".join))
def test_a_long_run_of_marks_has_the_form_that_the_standard_library_gives_it(form: Form, text: str) -> None:
    assert normal_form(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_every_mark_there_is_stands_in_the_same_place(form: Form) -> None:
    for decomposed in ("NFD", "NFKD"):
        marks = [mark for mark in map(chr, range(0x110000)) if _moves(decomposed, mark)]
        for text in ("e" + "".join(marks), "e" + "".join(reversed(marks)), "é" + "".join(marks[::7])):
            assert normal_form(form, text) == unicodedata.normalize(form, text)


def _moves(decomposed: str, mark: str) -> bool:
    return unicodedata.combining(unicodedata.normalize(decomposed, mark)[0]) > 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0344\u0316", "\u0f73\u0f71", "\uff9e\u0301"])
def test_a_megabyte_of_marks_does_not_hold_up_a_run(form: Form, marks: str) -> None:
    normal_form(form, "a" + marks * 300_000)  # put in order by insertion they would take ten minutes


@pytest.mark.parametrize("read", [nfc, normalised, unicode_normalise, addressed])
def test_nor_does_it_hold_up_what_reads_a_text_in_such_a_form(read: Callable[[str], object]) -> None:
    read("a" + "\u0301\u0316" * 300_000)
