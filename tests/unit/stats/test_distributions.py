"""The normal, t and binomial distributions, held against scipy.special and against exact values."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from scipy import special

from haetae.stats.distributions import normal_cdf, normal_quantile, sign_mid_p, sign_tail, t_cdf, t_quantile

DEGREES = (1, 2, 3, 5, 10, 30, 99, 999, 20_000)


@pytest.mark.parametrize("df", DEGREES)
def test_students_t_is_scipys(df: int) -> None:
    for t in (-40.0, -5.0, -1.7, -0.5, 0.0, 0.2, 1.0, 2.5, 9.0, 30.0):
        assert t_cdf(t, df) == pytest.approx(special.stdtr(df, t), rel=1e-10, abs=1e-300)
    for p in (1e-6, 0.001, 0.025, 0.2, 0.5, 0.6, 0.95, 0.9999):
        assert t_quantile(p, df) == pytest.approx(special.stdtrit(df, p), rel=1e-9)


def test_students_t_keeps_its_digits_where_the_answer_is_known() -> None:
    for t in (1e-12, 1e-8, 0.3, 7.0, 1e6):  # one degree of freedom is Cauchy's distribution
        assert t_cdf(-t, 1) == pytest.approx(math.atan2(1, t) / math.pi, rel=1e-13)
    assert (t_cdf(math.inf, 3), t_cdf(-math.inf, 3)) == (1.0, 0.0)
    assert t_quantile(0.975, 10**9) == pytest.approx(normal_quantile(0.975), rel=1e-8)


def test_the_normal_distribution_is_scipys() -> None:
    for z in (-37.0, -8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0):
        assert normal_cdf(z) == pytest.approx(special.ndtr(z), rel=1e-11)
    for p in (1e-12, 1e-5, 0.025, 0.3, 0.5, 0.8, 0.95, 1 - 1e-9):
        assert normal_quantile(p) == pytest.approx(special.ndtri(p), abs=1e-12)
    assert (normal_cdf(math.inf), normal_cdf(-math.inf)) == (1.0, 0.0)


@pytest.mark.parametrize("trials", [1, 2, 5, 20, 100, 1001])
def test_the_sign_test_is_exact(trials: int) -> None:
    ways = [Fraction(math.comb(trials, k), 2**trials) for k in range(trials + 1)]
    for successes in {0, 1, trials // 3, trials // 2, trials // 2 + 1, trials}:
        above, at = sum(ways[successes + 1 :], Fraction(0)), ways[successes]
        assert sign_tail(successes, trials) == pytest.approx(float(above + at), rel=1e-11)
        assert sign_mid_p(successes, trials) == pytest.approx(float(above + at / 2), rel=1e-11)


def test_the_sign_test_of_a_million_trials_is_still_right() -> None:
    # P(X ≥ n/2) = 1/2 + C(n, n/2)/2^(n+1), and C(n, n/2)/2^n = √(2/(πn))·(1 − 1/(4n) + 1/(32n²) + …)
    n = 1_000_000
    half = math.sqrt(2 / (math.pi * n)) * (1 - 1 / (4 * n) + 1 / (32 * n * n)) / 2
    assert sign_tail(n // 2, n) == pytest.approx(0.5 + half, rel=1e-10)
    assert sign_mid_p(n // 2, n) == pytest.approx(0.5, rel=1e-10)
    assert (sign_tail(0, 0), sign_tail(3, 2), sign_mid_p(0, 0)) == (1.0, 0.0, 0.5)
