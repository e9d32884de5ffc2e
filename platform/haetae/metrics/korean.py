"""Korean morphemes by kiwipiepy."""

from __future__ import annotations

from kiwipiepy import Kiwi  # type: ignore[import-untyped]  # ships no types

_PUNCTUATION = frozenset({"SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW", "SB"})
"""Tags of the Sejong set that mark punctuation and symbols; Latin, Hanja, numbers and emoji stay."""


class Morphemes:
    """The surface forms of a text's morphemes, punctuation left out."""

    def __init__(self) -> None:
        self._kiwi = Kiwi(num_workers=1)

    def __call__(self, text: str) -> tuple[str, ...]:
        return tuple(token.form for token in self._kiwi.tokenize(text) if token.tag not in _PUNCTUATION)
