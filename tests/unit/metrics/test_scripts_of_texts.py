"""The script that decides how a text is cut: one that writes a quarter of the letters, whatever else stands there."""

from __future__ import annotations

import pytest

from haetae.metrics.text import Script, script_of


@pytest.mark.parametrize(
    ("letter", "script"), [("가", "hangul"), ("カ", "kana"), ("の", "kana"), ("漢", "han"), ("ก", "unspaced")]
)
def test_a_quarter_of_the_letters_makes_a_script_and_less_does_not(letter: str, script: Script) -> None:
    assert script_of(f"{letter} abc") == script
    assert script_of(f"{letter * 2} abcdef, 123 …!") == script  # digits and marks are no letters
    assert script_of(f"{letter} abcd") == "other"
    assert script_of(f"{letter * 2} abcdefg") == "other"


def test_the_first_of_kana_hangul_and_han_that_is_there_often_enough_counts() -> None:
    assert script_of("東京の空") == "kana"
    assert script_of("大韓民國 가나") == "hangul"
    assert script_of("東京大学は") == "han"  # one kana of five letters
    assert script_of("…!? 123") == "other"
