"""What a report says of samples without an answer: one line of the message, whatever it was."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from haetae.workbench.unanswered import cause


def _told(function: Callable[[], object]) -> str:
    try:
        function()
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("nothing was raised")


def _chained() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer\n  and more of it") from error


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (_told(_chained), "ValueError: outer"),
        ("HTTP 503 from http://h: busy", "HTTP 503 from http://h: busy"),
        ("the function returned an empty answer", "the function returned an empty answer"),
        ("two\nlines", "two"),
        ("", ""),
        ("https://h/?api_key=verysecretvalue", "https://h/?api_key=***"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_message_becomes_the_line_that_says_why(message: str, line: str) -> None:
    assert cause(message) == line
