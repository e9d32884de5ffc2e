"""Korean morphemes by kiwipiepy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from kiwipiepy import Kiwi  # type: ignore[import-untyped]  # ships no types

from haetae.metrics.text import pieces

_PUNCTUATION = frozenset({"SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW", "SB"})
"""Tags of the Sejong set that mark punctuation and symbols; Latin, Hanja, numbers and emoji stay."""

_GRAMMAR = ("J", "E", "XS", "VCP")
"""How the tags of particles, endings, suffixes and the copula 이다 begin; nouns, verbs, adverbs stay."""


def load() -> None:
    """Load the dictionary, once. It takes seconds in which Python runs no other thread: before a run, not in it."""
    _kiwi()


def morphemes(text: str) -> tuple[str, ...]:
    """The surface forms of a text's morphemes, punctuation left out."""
    return tuple(form for form, _ in _analysed(text))


def content_morphemes(text: str) -> tuple[str, ...]:
    """The surface forms of the morphemes that carry meaning."""
    return tuple(form for form, tag in _analysed(text) if not tag.startswith(_GRAMMAR))


def _analysed(text: str) -> Iterator[tuple[str, str]]:
    for piece in pieces(text):
        for token in _kiwi().tokenize(piece):
            if token.tag not in _PUNCTUATION:
                yield token.form, token.tag


@lru_cache(maxsize=1)
def _kiwi() -> Kiwi:
    return Kiwi(num_workers=1)
