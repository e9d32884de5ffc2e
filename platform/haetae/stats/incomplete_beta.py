"""The regularized incomplete beta function: what Student's t and the binomial tail are made of.

In plain Python, because a gate needs a few dozen values of it and importing scipy.special costs a third
of a second; the tests hold it against scipy.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_LARGE = 16.0
"""From here on the series of `_remainder` is exact to the last digits."""


def incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b), a and b > 0, 0 ≤ x ≤ 1; `y` is 1 − x, given by itself so that a small one keeps its digits.

    Continued fraction of DLMF 8.17.22 by the modified Lentz method (Press et al. 2007, section 6.4). Relative
    error below 1e-10 for a + b up to 1e7.
    """
    if x <= 0 or y <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, y, x)
    return math.exp(_log_power(a, b, x, y)) / a * _fraction(a, b, x)


def _log_power(a: float, b: float, x: float, y: float) -> float:
    """ln(x^a·y^b/B(a, b)), with Stirling's formula taken apart so that its large parts cancel before they are added
    (as Loader 2000 does for the binomial).
    """
    n = a + b
    powers = a * math.log(x * n / a) + b * math.log(y * n / b)
    return powers + math.log(a * b / (2 * math.pi * n)) / 2 + _remainder(n) - _remainder(a) - _remainder(b)


def _remainder(z: float) -> float:
    """ln Γ(z) − ((z − 1/2)·ln z − z + ln(2π)/2): DLMF 5.11.1."""
    if z < _LARGE:
        return math.lgamma(z) - ((z - 0.5) * math.log(z) - z + math.log(2 * math.pi) / 2)
    square = z * z
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * square)) / square) / square) / square) / z


def _fraction(a: float, b: float, x: float) -> float:
    """1/(1 + d₁/(1 + d₂/(1 + …)))."""
    c, d = 1.0, 1.0 / _apart(1.0 - (a + b) * x / (a + 1))
    value, m = d, 0
    while True:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for step in (even, odd):
            d = 1.0 / _apart(1.0 + step * d)
            c = _apart(1.0 + step / c)
            value *= d * c
        if abs(value - before) <= 1e-16 * abs(value) or m > 100_000:
            return value


def _apart(number: float) -> float:
    """The number, kept apart from 0."""
    return number if abs(number) > _TINY else _TINY
