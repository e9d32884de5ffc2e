"""The bootstrap of a real corpus metric, against sacrebleu's own."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from haetae.metrics.reference.bleu import Bleu
from haetae.stats.corpus import bootstrap

WORDS = [f"w{i}" for i in range(300)]


@pytest.fixture(scope="module")
def systems():
    """References and two systems that copy 60 % and 64 % of their words."""

    def build(n):
        rng = np.random.default_rng(0)
        references = [[WORDS[i] for i in rng.integers(0, 300, rng.integers(12, 30))] for _ in range(n)]

        def copy(share):
            return [" ".join(w if rng.random() < share else "other" for w in text) for text in references]

        return [" ".join(text) for text in references], copy(0.60), copy(0.64)

    return build


@pytest.mark.parametrize("n", [300, 1_100])  # drawn with replacement, and by random signs
def test_the_interval_is_sacrebleus_within_its_monte_carlo_error(systems, n):
    references, first, second = systems(n)
    metric = Bleu("13a")
    stats = [
        np.array([metric.statistics(text, (reference,)) for text, reference in zip(side, references, strict=True)])
        for side in (first, second)
    ]
    test = PairedTest(
        [("first", first), ("second", second)],
        {"BLEU": BLEU(references=[references])},
        references=None,
        test_type="bs",
        n_samples=2_000,
    )
    oracle = test()[1]["BLEU"][1]
    low, high = bootstrap(stats[1], metric.corpus, level=0.95, seed=0)
    assert float(metric.corpus(stats[1].sum(axis=0))) == pytest.approx(oracle.score, abs=1e-9)
    # Each bound of 2,000 resamples errs by .06 standard errors, 3 % of half the interval; twice that, both sides.
    assert (high - low) / 2 == pytest.approx(oracle.ci, rel=0.1)
    assert (high + low) / 2 == pytest.approx(oracle.mean, abs=0.12 * oracle.ci)


def test_the_paired_interval_excludes_nothing_when_sacrebleu_finds_a_difference(systems):
    references, first, second = systems(1_100)
    metric = Bleu("13a")
    both = np.array(
        [
            [*metric.statistics(a, (reference,)), *metric.statistics(b, (reference,))]
            for a, b, reference in zip(first, second, references, strict=True)
        ]
    )
    low, high = bootstrap(both, lambda t: metric.corpus(t[..., 10:]) - metric.corpus(t[..., :10]), level=0.95, seed=0)
    gained = float(metric.corpus(both[:, 10:].sum(axis=0)) - metric.corpus(both[:, :10].sum(axis=0)))
    assert 0 < low < gained < high
    oracle = PairedTest(
        [("first", first), ("second", second)],
        {"BLEU": BLEU(references=[references])},
        references=None,
        test_type="bs",
    )()[1]["BLEU"][1]
    assert oracle.p_value <= 0.05
