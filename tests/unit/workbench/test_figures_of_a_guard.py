"""The figures in a guard's table are read at a glance: no exponents, and nothing free that is unknown."""

from __future__ import annotations

import pytest

from haetae.workbench.guard_tally import HEADER, Tally


def told(tally: Tally) -> dict[str, str]:
    return dict(zip(HEADER, tally.row(), strict=True))


@pytest.mark.parametrize(
    ("cost", "per_thousand", "per_dollar"),
    [
        (1 / 150_000, "$0.006667", "150,000"),
        (0.00000002, "$0.00002", "50,000,000"),
        (0.004, "$4", "250"),
        (12.5, "$12,500", "0.08"),
        (0.0, "$0", "free"),
        (None, "unknown", "unknown"),
    ],
)
def test_prices_and_yields_have_no_exponent(cost: float | None, per_thousand: str, per_dollar: str) -> None:
    tally = Tally("judge")
    tally.add(True, True, 0.25, cost)
    row = told(tally)
    assert (row["per 1,000"], row["caught per $"]) == (per_thousand, per_dollar)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0000213, "0.0213 ms"), (0.25, "250 ms"), (12.3456, "12,346 ms"), (0.0, "0 ms")]
)
def test_times_are_in_milliseconds_whatever_they_are(seconds: float, said: str) -> None:
    tally = Tally("judge")
    tally.add(True, True, seconds, 0.0)
    assert told(tally)["median"] == said


def test_a_check_that_failed_says_nothing_of_price_and_time() -> None:
    tally = Tally("judge")
    tally.add_failed()
    assert (tally.reached, tally.decided, tally.failed, tally.missed) == (1, 0, 1, 0)
    row = told(tally)
    assert (row["median"], row["per 1,000"], row["caught per $"]) == ("unknown", "unknown", "unknown")
    tally.add(True, False, 0.5, 0.002)
    assert tally.per_thousand_usd == pytest.approx(2.0)
    assert tally.recall == 0.0
