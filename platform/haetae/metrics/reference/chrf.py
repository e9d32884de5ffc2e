"""chrF by sacrebleu's definition: character n-gram F-score, 0 to 100; no tokenizer, fit for any script.

Source: Popović (2015); with `word_order=2` chrF++ (Popović 2017). The n-grams are
counted here, those of a reference once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.chrf import CHRF

from haetae.core.metric import MetricFacts
from haetae.metrics.choices import canonical, whole
from haetae.metrics.reference.counting import counted, ngrams, overlap
from haetae.metrics.reference.sacre import CACHED_REFERENCES, SacreScore, signature


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of n characters of a text, made as they are asked for: together they are many times as large."""

    text: str
    n: int

    def __len__(self) -> int:
        return max(len(self.text) - self.n + 1, 0)

    def __iter__(self) -> Iterator[str]:
        return (self.text[start : start + self.n] for start in range(len(self)))


Grams = _Runs | list[tuple[str, ...]]


class Chrf(SacreScore):
    """chrF, 0 to 100, higher is better: how many runs of 1 to 6 characters output and reference share.

    100 · (1 + β²) P R / (β² P + R), where P and R are precision and recall of character n-grams (of words too with
    `word_order`: 2 makes it chrF++), averaged over the orders that both sides have; blanks do not count. `beta`
    weighs recall over precision. The best reference counts. Source: Popović 2015 and 2017, as sacrebleu computes
    it. Statistics: for each order [n-grams of output, of reference, matches]; the corpus value is that of their
    sums. Unscored where every reference is blank.
    """

    def __init__(self, word_order: int = 0, *, char_order: int = 6, beta: int = 2) -> None:
        self._chrf = CHRF(
            char_order=whole("chrf", "char_order", char_order, 1, 12),
            word_order=whole("chrf", "word_order", word_order, 0, 6),
            beta=whole("chrf", "beta", beta, 1, 10),
        )
        self._wanted = lru_cache(maxsize=CACHED_REFERENCES)(self._counts)
        self.facts = MetricFacts(
            text=canonical("chrf", word_order=(word_order, 0), char_order=(char_order, 6), beta=(beta, 2)),
            version="1",
            high=100.0,
            needs=frozenset({"reference"}),
            corpus=True,
            signature={"sacrebleu": f"chrF{beta}{'+' * word_order}|{signature(self._chrf)}", "unicode": "NFC"},
        )

    def statistics(self, output: str, given: tuple[str, ...]) -> list[float]:
        grams = self._grams(output)
        matches = [_matched(grams, self._wanted(reference)) for reference in given]
        return matches[0] if len(matches) == 1 else max(matches, key=self.sentence)

    def sentence(self, statistics: list[float]) -> float:
        return self._chrf._compute_f_score(statistics)  # type: ignore[arg-type]  # counts, typed as int there

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corpus chrF of summed statistics: sacrebleu's `corpus_score`, for all leading axes at once."""
        counts = np.asarray(totals, dtype=np.float64).reshape(*np.shape(totals)[:-1], -1, 3)
        found, wanted, matched = counts[..., 0], counts[..., 1], counts[..., 2]
        effective = (found > 0) & (wanted > 0)
        orders = np.maximum(effective.sum(axis=-1), 1)
        precision = (np.divide(matched, found, out=np.zeros_like(matched), where=effective)).sum(axis=-1) / orders
        recall = (np.divide(matched, wanted, out=np.zeros_like(matched), where=effective)).sum(axis=-1) / orders
        factor = self._chrf.beta**2
        below = factor * precision + recall
        value = 100 * (1 + factor) * precision * recall / np.where(below > 0, below, 1.0)
        capped: NDArray[np.float64] = np.minimum(value, 100.0)
        return capped

    def _grams(self, text: str) -> list[Grams]:
        written = "".join(text.split())
        grams: list[Grams] = [_Runs(written, n) for n in range(1, self._chrf.char_order + 1)]
        if self._chrf.word_order:
            words = self._chrf._remove_punctuation(text)
            grams += [list(ngrams(words, n)) for n in range(1, self._chrf.word_order + 1)]
        return grams

    def _counts(self, reference: str) -> list[Counter[Any]]:
        return [counted(grams) for grams in self._grams(reference)]


def _matched(output: list[Grams], reference: list[Counter[Any]]) -> list[float]:
    """[n-grams of output, of reference, matches] for each order.

    As sacrebleu counts: n-grams of the output are not held against it where the reference has none.
    """
    counts: list[float] = []
    for found, wanted in zip(output, reference, strict=True):
        counts += (len(found) if wanted else 0, wanted.total(), overlap(found, wanted))
    return counts
