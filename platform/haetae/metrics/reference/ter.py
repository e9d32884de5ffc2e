"""TER by sacrebleu: the edits, shifts of phrases among them, that turn the output into the reference.

Source: Snover et al. (2006), in sacrebleu's form of Tercom. Edits per 100 reference words: 0 is
perfect, and over 100 is possible.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.ter import TER

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.computing import computed
from haetae.metrics.choices import canonical, flag
from haetae.metrics.reference.sacre import CACHED_REFERENCES, SacreScore, plain_tokenizer, signature

_MOST = 1_000
"""Words compared: the search for shifts takes half a minute on a thousand that share little, and grows faster."""

_FEW = 20
"""Words up to which the search takes some milliseconds at worst; it goes on in a thread for more."""


class Ter(SacreScore):
    """TER, from 0 up, lower is better: the edits that make the output a reference, per 100 of its words.

    100 · edits / mean length of the references; an edit puts in, takes out or replaces a word, or moves a phrase;
    the reference with the fewest counts. Case is folded unless `case_sensitive`. For Chinese and Japanese, which
    write no spaces, use `normalized` with `asian_support`. Source: Snover et al. 2006, as sacrebleu computes it.
    Statistics: [edits, mean reference length]; the corpus value is that of their sums. Unscored where the output or
    a reference has more than 1,000 words, and where every reference is blank.
    """

    def __init__(
        self,
        *,
        normalized: bool = False,
        asian_support: bool = False,
        no_punct: bool = False,
        case_sensitive: bool = False,
    ) -> None:
        self._ter = TER(
            normalized=flag("ter", "normalized", normalized),
            asian_support=flag("ter", "asian_support", asian_support),
            no_punct=flag("ter", "no_punct", no_punct),
            case_sensitive=flag("ter", "case_sensitive", case_sensitive),
        )
        self._tokenize = self._ter.tokenizer = plain_tokenizer(self._ter.tokenizer)  # type: ignore[assignment]  # it is only called
        self._info = lru_cache(maxsize=CACHED_REFERENCES)(self._reference_info)
        self.facts = MetricFacts(
            text=canonical(
                "ter",
                normalized=(normalized, False),
                asian_support=(asian_support, False),
                no_punct=(no_punct, False),
                case_sensitive=(case_sensitive, False),
            ),
            version="1",
            high=None,
            higher_is_better=False,
            needs=frozenset({"reference"}),
            corpus=True,
            signature={"sacrebleu": signature(self._ter), "unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score | Awaitable[Score]:
        texts = (generation.output, *sample.references)
        if max(len(text.split()) for text in texts) <= _FEW:
            return super().score(sample, generation)
        return computed(super().score, sample, generation)

    def too_long(self, output: str, given: tuple[str, ...]) -> str | None:
        longest = max(len(self._tokenize(text.rstrip()).split()) for text in (output, *given))
        return f"TER compares up to {_MOST:,} words, and there are {longest:,}" if longest > _MOST else None

    def statistics(self, output: str, given: tuple[str, ...]) -> list[float]:
        return self._ter._compute_segment_statistics(self._ter._preprocess_segment(output), self._info(given))

    def sentence(self, statistics: list[float]) -> float:
        return float(self._ter._compute_score_from_stats(statistics).score)

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corpus TER of summed statistics: sacrebleu's `corpus_score`, for all leading axes at once."""
        totals = np.asarray(totals, dtype=np.float64)
        edits, words = totals[..., 0], totals[..., 1]
        return 100 * np.where(words > 0, edits / np.where(words > 0, words, 1.0), (edits > 0).astype(np.float64))

    def _reference_info(self, given: tuple[str, ...]) -> dict[str, Any]:
        return self._ter._extract_reference_info(list(given))
