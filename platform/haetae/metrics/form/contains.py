"""Whether an output contains given texts, or the references."""

from __future__ import annotations

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import canonical, flag, one_of
from haetae.metrics.text import EMPTY_OUTPUT, nfc, no_reference, references

_SHOWN = 60
"""Characters of a text that an explanation quotes."""


class Contains:
    """1 where the output contains the texts, else 0.

    `texts` is one text or several; where none is given, the sample's references are looked for. With
    `match` `any` one of them is enough, with `all` each must stand in the output. Both sides are brought to
    NFC; `case_sensitive: false` folds their case. Range 0 to 1, higher is better. Without texts of its own
    it is unscored where every reference is blank.
    """

    def __init__(
        self, texts: str | list[str] | None = None, *, match: str = "any", case_sensitive: bool = True
    ) -> None:
        self._match = one_of("contains", "match", match, ("any", "all"))
        self._folded = not flag("contains", "case_sensitive", case_sensitive)
        self._texts = _given("contains", texts)
        self.facts = _facts("contains", texts, match=(match, "any"), case_sensitive=(case_sensitive, True))

    def score(self, sample: Sample, generation: Generation) -> Score:
        texts = self._texts or references(sample)
        if not texts:
            return no_reference()
        missing = [text for text in texts if not _holds(generation.output, text, self._folded)]
        found = not missing if self._match == "all" else len(missing) < len(texts)
        return _said(found, generation, "the output lacks ", missing)


class NotContains:
    """1 where the output contains none of the texts, else 0: a forbidden word, a prompt that leaks.

    `texts` is one text or several; where none is given, the sample's references are what must not appear.
    Both sides are brought to NFC; `case_sensitive: false` folds their case. Range 0 to 1, higher is better.
    """

    def __init__(self, texts: str | list[str] | None = None, *, case_sensitive: bool = True) -> None:
        self._folded = not flag("not_contains", "case_sensitive", case_sensitive)
        self._texts = _given("not_contains", texts)
        self.facts = _facts("not_contains", texts, case_sensitive=(case_sensitive, True))

    def score(self, sample: Sample, generation: Generation) -> Score:
        texts = self._texts or references(sample)
        if not texts:
            return no_reference()
        present = [text for text in texts if _holds(generation.output, text, self._folded)]
        return _said(not present, generation, "the output contains ", present)


def _given(metric: str, texts: str | list[str] | None) -> tuple[str, ...]:
    """The texts in NFC. Raises ConfigError for an empty list and for a blank text, which stands in every output."""
    if texts is None:
        return ()
    several = [texts] if isinstance(texts, str) else texts
    if not several or not all(isinstance(text, str) and text.strip() for text in several):
        wrong = f"expected one text or a list of texts, none of them blank, got {texts!r}"
        raise ConfigError(Problem(wrong, field=metric))
    return tuple(map(nfc, several))


def _facts(kind: str, texts: str | list[str] | None, **parameters: tuple[Json, Json]) -> MetricFacts:
    positional: list[Json] = [] if texts is None else [texts]
    return MetricFacts(
        text=canonical(kind, *positional, **parameters),
        version="1",
        needs=frozenset({"reference"} if texts is None else ()),
        signature={"unicode": "NFC"},
    )


def _holds(output: str, text: str, folded: bool) -> bool:
    output, text = nfc(output), nfc(text)
    return nfc(text.casefold()) in nfc(output.casefold()) if folded else text in output


def _said(good: bool, generation: Generation, what: str, texts: list[str]) -> Score:
    if good:
        return Score(1.0)
    if not generation.output.strip():
        return Score(0.0, explanation=EMPTY_OUTPUT)
    named = ", ".join(repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…") for text in texts[:5])
    more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
    return Score(0.0, explanation=what + named + more)
