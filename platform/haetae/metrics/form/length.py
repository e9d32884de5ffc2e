"""How long an output is, or whether it is as long as it should be."""

from __future__ import annotations

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import canonical, one_of, whole
from haetae.metrics.reference.tokenize import tokenizer
from haetae.metrics.text import CLUSTER, nfc

_CLUSTER = regex.compile(CLUSTER)
_MOST = 10**9


class Length:
    """The length of the output; with `min` or `max`, 1 where it lies between them, ends included, else 0.

    `count` is what is counted: `characters` (what a reader sees as one: an extended grapheme cluster of
    Unicode's UAX #29, so a syllable in jamo or a family emoji is one), `words` (what stands between blanks;
    for scripts without blanks count tokens) or `tokens` (by `tokenizer`, as ROUGE counts them). The output
    is brought to NFC first. Without bounds: range from 0 up, lower is better. Never unscored: an empty
    output has length 0.
    """

    def __init__(
        self,
        count: str = "characters",
        *,
        min: int | None = None,  # noqa: A002  # the words of a suite file
        max: int | None = None,  # noqa: A002
        tokenizer: str = "unicode",
    ) -> None:
        self._count = one_of("length", "count", count, ("characters", "words", "tokens"))
        self._tokenizer = _tokenizer(tokenizer, "length")
        self._low = 0 if min is None else whole("length", "min", min, 0, _MOST)
        self._high = _MOST if max is None else whole("length", "max", max, 0, _MOST)
        if self._low > self._high:
            raise ConfigError(Problem(f"min {min} is above max {max}: no output is so long", field="min"))
        if tokenizer != "unicode" and count != "tokens":
            raise ConfigError(Problem(f"a tokenizer counts tokens, and count is {count!r}", field="tokenizer"))
        self._bounded = min is not None or max is not None
        signature = {"tokenizer": self._tokenizer.signature} if count == "tokens" else {}
        self.facts = MetricFacts(
            text=canonical("length", count, min=(min, None), max=(max, None), tokenizer=(tokenizer, "unicode")),
            version="1",
            high=1.0 if self._bounded else None,
            higher_is_better=self._bounded,
            signature={"unicode": "NFC", **signature},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        length = self._length(generation.output)
        if not self._bounded:
            return Score(float(length))
        fits = self._low <= length <= self._high
        return Score(float(fits), explanation=f"{length} {self._count}")

    def _length(self, text: str) -> int:
        if self._count == "words":
            return len(text.split())
        if self._count == "tokens":
            return len(self._tokenizer.pick(text)(text)) if text.strip() else 0
        return sum(1 for _ in _CLUSTER.finditer(nfc(text)))


_tokenizer = tokenizer  # the constructor's parameter has the same name
