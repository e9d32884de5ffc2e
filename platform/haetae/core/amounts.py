"""What is believed of one answer: tokens, dollars and seconds up to a bound, so that sums of them stay numbers."""

from __future__ import annotations

from typing import Any

MOST = 10**12
"""Largest count of tokens, cost in dollars or time in seconds. A million answers of so many tokens can be added up in
the 64 bits of a database, and dollars of any number of answers never come to infinity."""


def is_count(value: Any) -> bool:
    """Whether a value counts tokens: a whole number from 0 to the bound."""
    return type(value) is int and 0 <= value <= MOST


def is_amount(value: Any) -> bool:
    """Whether a value is a cost or a time: a number from 0 to the bound."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MOST  # NaN is neither
