"""BLEU by sacrebleu: n-gram precision with a brevity penalty, 0 to 100.

Source: Papineni et al. (2002), in the form of Post, "A call for clarity in reporting BLEU scores"
(2018): exponential smoothing, corpus value from summed counts. The value of one sample uses the
effective order, so that a perfect answer of three words is 100 and not 0. The tokenizers are sacrebleu's;
the n-grams are counted here, order by order, which takes less time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from haetae.core.metric import MetricFacts
from haetae.metrics.choices import canonical
from haetae.metrics.reference.counting import counted, ngrams, overlap
from haetae.metrics.reference.sacre import (
    CACHED_REFERENCES,
    SacreScore,
    by_script,
    check_tokenizer,
    plain_tokenizer,
    signature,
)
from haetae.metrics.text import script_of

_ORDER = 4
Grams = list[Counter[tuple[str, ...]]]


class Bleu(SacreScore):
    """BLEU, 0 to 100, higher is better: how many of the output's runs of 1 to 4 words the references have.

    100 · min(1, exp(1 − r / c)) · (p₁ p₂ p₃ p₄)^¼, where pₙ is the share of the output's n-grams that a reference
    has, each as often as one of them has it, c the output's length and r that of the reference nearest in length.
    A share without a match is 1 / (2^k total), k counting such shares. One sample counts the orders that it has
    words for. `tokenizer` is one of sacrebleu's; `auto` picks by the script of each sample's references. Source:
    Papineni et al. 2002, as sacrebleu computes it (Post 2018). Statistics: [c, r, 4 matches, 4 totals]; the
    corpus value is that of their sums. Unscored where every reference is blank.
    """

    def __init__(self, tokenizer: str = "auto") -> None:
        name = check_tokenizer("bleu", tokenizer)
        scripts = by_script()
        self._name = {script: chosen if name == "auto" else name for script, chosen in scripts.items()}
        scorers = {tok: BLEU(tokenize=tok, force=True) for tok in set(self._name.values())}
        self._tokenizers = {tok: plain_tokenizer(scorer.tokenizer) for tok, scorer in scorers.items()}
        picked = {script: scorers[tok].tokenizer_signature for script, tok in self._name.items()}
        signed = signature(scorers[self._name["other"]])
        if name == "auto":
            signed = signed.replace("tok:13a", "tok:auto")
        self._info = lru_cache(maxsize=CACHED_REFERENCES)(self._reference_info)
        self.facts = MetricFacts(
            text=canonical("bleu", tokenizer=(tokenizer, "auto")),
            version="1",
            high=100.0,
            needs=frozenset({"reference"}),
            corpus=True,
            signature={"sacrebleu": signed, "unicode": "NFC"} | ({"auto": picked} if name == "auto" else {}),
        )

    def statistics(self, output: str, given: tuple[str, ...]) -> list[float]:
        tokenize, lengths, wanted = self._info(given)
        words = tokenize(output.rstrip()).split()
        size = len(words)
        nearest = min(lengths, key=lambda length: (abs(size - length), length))
        matches = [overlap(ngrams(words, n + 1), wanted[n]) for n in range(_ORDER)]
        return [size, nearest, *matches, *(max(size - n, 0) for n in range(_ORDER))]

    def sentence(self, statistics: list[float]) -> float:
        return float(
            BLEU.compute_bleu(
                correct=statistics[2 : 2 + _ORDER],  # type: ignore[arg-type]  # counts, typed as int there
                total=statistics[2 + _ORDER :],  # type: ignore[arg-type]
                sys_len=int(statistics[0]),
                ref_len=int(statistics[1]),
                smooth_method="exp",
                effective_order=True,
            ).score
        )

    def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corpus BLEU of summed statistics: sacrebleu's `corpus_score`, for all leading axes at once."""
        totals = np.asarray(totals, dtype=np.float64)
        found, wanted = totals[..., 0], totals[..., 1]
        correct, total = totals[..., 2 : 2 + _ORDER], totals[..., 2 + _ORDER :]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            missed = (correct == 0) & (total > 0)
            halvings = np.exp2(np.cumsum(missed, axis=-1))
            precision = np.where(missed, 100 / (halvings * total), 100 * correct / total)
            brevity = np.where(found < wanted, np.exp(1 - wanted / found), 1.0)
            value = brevity * np.exp(np.log(precision).mean(axis=-1))
        defined = (total > 0).all(axis=-1) & (correct > 0).any(axis=-1)
        return np.where(defined, np.minimum(value, 100.0), 0.0)

    def _reference_info(self, given: tuple[str, ...]) -> tuple[Callable[[str], str], list[int], Grams]:
        """The tokenizer for these references, their lengths, and each n-gram as often as one of them has it."""
        tokenize = self._tokenizers[self._name[script_of(" ".join(given))]]
        cut = [tokenize(text.rstrip()).split() for text in given]
        wanted = [counted(ngrams(cut[0], n + 1)) for n in range(_ORDER)]
        for words in cut[1:]:
            for n in range(_ORDER):
                wanted[n] |= counted(ngrams(words, n + 1))
        return tokenize, [len(words) for words in cut], wanted
