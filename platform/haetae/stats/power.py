"""How many samples a tolerance needs, and how small a drop a number of samples can find."""

from __future__ import annotations

import math

from haetae.stats.distributions import normal_quantile

CORRELATION = 0.5
"""Between two runs' scores of one sample, assumed while only one run is known."""

SMALLEST_MARGIN = 1e-6
"""In standard deviations: below it a margin is as good as none."""

DROPS_TO_FIND = 5.52
"""Expected drops of a 0/1 score with four or more seen in 80 % of runs; four without a gain are the
fewest that a sign test finds significant at .05 (mid-p .031)."""


def needed(sd: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Samples that prove "the drop is smaller than `margin`" with probability `power` when nothing changed.

    `sd` is the standard deviation of the paired differences per sample, in the units of `margin`. At
    least the rule of three's −ln α/margin, which even identical outputs need (`margin` on the [0, 1]
    scale). None for a margin of 0, or one so small that a million million samples would not prove it.
    """
    if margin < SMALLEST_MARGIN * max(1.0, sd):
        return None
    z = normal_quantile(power) - normal_quantile(alpha)
    return math.ceil(max((z * sd / margin) ** 2, -math.log(alpha) / margin))


def still_needed(sd: float, margin: float, n: int, delta: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """`needed`, or where `n` samples were already that many, what they need added if nothing changed.

    In the second case the n seen samples with mean difference `delta` are kept and the new ones have
    mean 0: the total N is the smallest power-of-1.05 step with n·delta + N·margin ≥ z_{1−α}·sd·√N +
    z_power·sd·√(N − n) (conditional power, Lan and Wittes 1988).
    """
    total = needed(sd, margin, alpha, power)
    if total is None or total > n:
        return total
    reject, find = -normal_quantile(alpha), normal_quantile(power)
    total = n + 1
    while n * delta + total * margin < sd * (reject * math.sqrt(total) + find * math.sqrt(total - n)):
        total = math.ceil(total * 1.05)
    return total


def detectable(sd: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true drop that `n` ≥ 1 paired samples find with probability `power`, in the units of `sd`."""
    return (normal_quantile(power) - normal_quantile(alpha)) * sd / math.sqrt(n)


def paired_sd(sd: float, correlation: float = CORRELATION) -> float:
    """The standard deviation of the difference of two scores that each have `sd`."""
    return sd * math.sqrt(2 * (1 - correlation))


def detectable_from(low: float, high: float, alpha: float = 0.05, power: float = 0.8, level: float = 0.95) -> float:
    """`detectable`, from the interval of a difference at `level` in place of its spread; in the interval's units."""
    error = (high - low) / 2 / normal_quantile((1 + level) / 2)
    return (normal_quantile(power) - normal_quantile(alpha)) * error
