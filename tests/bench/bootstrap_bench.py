"""The paired bootstrap of corpus BLEU, from stored statistics: Haetae's and sacrebleu's, in one process.

    python tests/bench/bootstrap_bench.py

Both are given the statistics of 2,000 segments of two systems, so only the resampling is timed (median of
five rounds in turn, processor seconds). sacrebleu's command line extracts the statistics first, which
Haetae did when the samples were scored.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processor seconds of waiting threads would be counted too
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU
from sacrebleu.significance import Result, _paired_bs_test

from haetae.metrics.reference.bleu import Bleu
from haetae.stats import corpus

Floats = NDArray[np.float64]

SEGMENTS, ROUNDS = 2_000, 5


def segments(rng: np.random.Generator, n: int, hit: float) -> Floats:
    """BLEU's statistics (n, 10) of segments of 15 to 39 words, each word right with probability `hit`."""
    length = rng.integers(15, 40, n)
    total = np.maximum(length[:, None] - np.arange(4), 0)
    correct = rng.binomial(total, hit ** np.arange(1, 5))
    return np.concatenate([length[:, None], length[:, None], correct, total], axis=1).astype(np.float64)


def theirs(before: Floats, after: Floats, resamples: int) -> Result:
    """sacrebleu's own resampling, handed the statistics in place of the texts."""
    metric, rows = BLEU(), [part.astype(int).tolist() for part in (before, after)]
    metric._extract_corpus_statistics = lambda *_: rows[1]
    baseline = {"BLEU": (rows[0], Result(metric._aggregate_and_compute(rows[0]).score))}
    texts = [""] * len(after)
    return _paired_bs_test(baseline, "candidate", texts, None, {"BLEU": metric}, n_samples=resamples)[1]["BLEU"]


def ours(after: Floats, seed: int = 0) -> corpus.Interval:
    """The 95 % interval of the same system's corpus BLEU."""
    found = corpus.bootstrap(after, Bleu().corpus, level=0.95, seed=seed)
    if found is None:
        raise ValueError("the resamples have no value")
    return found


def difference(before: Floats, after: Floats, seed: int = 0) -> corpus.Interval:
    """The 95 % interval of the difference, both systems resampled together."""
    metric, both = Bleu(), np.concatenate([before, after], axis=1)
    value: corpus.Corpus = lambda t: metric.corpus(t[..., 10:]) - metric.corpus(t[..., :10])  # noqa: E731  # local
    found = corpus.bootstrap(both, value, level=0.95, seed=seed)
    if found is None:
        raise ValueError("the resamples have no value")
    return found


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print one Markdown table."""
    rng = np.random.default_rng(1)
    before, after = segments(rng, SEGMENTS, 0.60), segments(rng, SEGMENTS, 0.61)
    resamples = corpus.RESAMPLES
    rounds = [
        (seconds(lambda: theirs(before, after, resamples)), seconds(lambda: difference(before, after)))
        for _ in range(ROUNDS)
    ]
    slow, fast = (statistics.median(column) for column in zip(*rounds, strict=True))
    result, (low, high) = theirs(before, after, resamples), ours(after)
    print(
        f"| paired bootstrap of corpus BLEU, {SEGMENTS:,} segments, {resamples:,} resamples | seconds | 95 % interval |"
    )
    print("|---|---|---|")
    print(f"| sacrebleu | {slow:.3f} | {result.mean:.3f} ± {result.ci:.3f} |")
    print(f"| Haetae | {fast:.3f} | {(low + high) / 2:.3f} ± {(high - low) / 2:.3f} |")
    print(f"\nResampling is {slow / fast:.0f} times as fast.")


if __name__ == "__main__":
    main()
