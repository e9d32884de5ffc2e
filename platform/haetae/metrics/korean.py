"""Korean morphemes by kiwipiepy."""

from __future__ import annotations

from functools import lru_cache

from kiwipiepy import Kiwi  # type: ignore[import-untyped]  # ships no types

_PUNCTUATION = frozenset({"SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW", "SB"})
"""Tags of the Sejong set that mark punctuation and symbols; Latin, Hanja, numbers and emoji stay."""

_GRAMMAR = ("J", "E", "XS", "VCP")
"""How the tags of particles, endings, suffixes and the copula 이다 begin; nouns, verbs, adverbs stay."""


def morphemes(text: str) -> tuple[str, ...]:
    """The surface forms of a text's morphemes, punctuation left out."""
    return tuple(token.form for token in _kiwi().tokenize(text) if token.tag not in _PUNCTUATION)


def content_morphemes(text: str) -> tuple[str, ...]:
    """The surface forms of the morphemes that carry meaning."""
    return tuple(
        token.form
        for token in _kiwi().tokenize(text)
        if token.tag not in _PUNCTUATION and not token.tag.startswith(_GRAMMAR)
    )


@lru_cache(maxsize=1)
def _kiwi() -> Kiwi:
    return Kiwi(num_workers=1)
