"""Agreement with a short reference answer: exact match and token F1."""

from __future__ import annotations

from collections.abc import Callable

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.reference.counting import counted, overlap
from haetae.metrics.reference.normalise import squad_answer, unicode_normalise
from haetae.metrics.reference.tokenize import tokenizer
from haetae.metrics.text import EMPTY_OUTPUT, nfc, no_reference, references

_NORMALISE: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "nfc": lambda text: text.strip() if text.isascii() else nfc(text).strip(),
    "squad": squad_answer,
    "unicode": unicode_normalise,
}


class ExactMatch:
    """1 where the output is one of the references, else 0; higher is better.

    `normalise` is what both sides go through first: `nfc` (NFC, no blanks at the ends), `squad` (the
    normalisation of SQuAD 1.1: lower case, no ASCII punctuation, no English articles), `unicode` (NFKC, case
    folded, no punctuation of any script but inside numbers: for Korean as for English) or `none`. A text that
    `squad` leaves nothing of, such as the choice A, is compared with its articles, one of marks alone as it is.
    Range 0 to 1; an empty output is 0. Unscored where every reference is blank.
    """

    def __init__(self, normalise: str = "nfc") -> None:
        self._normalise = _NORMALISE[one_of("exact_match", "normalise", normalise, _NORMALISE)]
        self.facts = MetricFacts(
            text=canonical("exact_match", normalise=(normalise, "nfc")),
            version="2",
            needs=frozenset({"reference"}),
            signature={"normalise": normalise},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        given = [reference for reference in sample.references if reference.strip()]
        if not given:
            return no_reference()
        if not generation.output.strip():
            return Score(0.0, explanation=EMPTY_OUTPUT)
        output = self._normalise(generation.output)
        return Score(float(any(output == self._normalise(reference) for reference in given)))


class TokenF1:
    """The harmonic mean of precision and recall over tokens, in [0, 1], higher is better; the best reference counts.

    2 P R / (P + R), where P is the share of the output's tokens that the reference has, and R the share of the
    reference's that the output has, each as often as both have it. Unscored where every reference is blank.
    Source: `f1_score` of the SQuAD 1.1 evaluation script (Rajpurkar et al. 2016); its own numbers with
    `tokenizer=squad`, KorQuAD's character F1 with `tokenizer=characters`.
    """

    def __init__(self, tokenizer: str = "unicode") -> None:
        self._tokenizer = _tokenizer(tokenizer, "token_f1")
        self.facts = MetricFacts(
            text=canonical("token_f1", tokenizer=(tokenizer, "unicode")),
            version="1",
            needs=frozenset({"reference"}),
            signature={"tokenizer": self._tokenizer.signature, "unicode": "NFC", "case": "lower"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        given = references(sample)
        if not given:
            return no_reference()
        best = None
        for reference in given:
            cut = self._tokenizer.pick(reference)
            if wanted := cut(reference):
                best = max(best or 0.0, _f1(wanted, cut(generation.output)))
        if best is None:
            return Score.unscored(reasons.UNSUPPORTED_LANGUAGE, "the tokenizer drops all text of every reference")
        return Score(best, explanation=None if generation.output.strip() else EMPTY_OUTPUT)


_tokenizer = tokenizer  # the constructor's parameter has the same name


def _f1(wanted: tuple[str, ...], found: tuple[str, ...]) -> float:
    common = overlap(found, counted(wanted))
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
