"""kill -9 anywhere in a real run: nothing is lost, nothing is doubled, and no answer that was kept is asked for again.

The whole count, 50 random and all named points of 500 samples, is `tests/bench/kill_bench.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SAMPLES, IN_FLIGHT = 60, 16
BENCH = Path(__file__).parents[1] / "bench"
POINTS = (
    "before commit 1", "after commit 1", "before commit 4", "after commit 4", "before commit the last",
    "after commit the last", "between answer and judge", "checkpoint", "migration 2", "before finish", "after finish",
    "before enqueue", "after enqueue",
)  # fmt: skip


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Runs over an endpoint that counts its calls, and the scores of one that nobody killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCH)
        kill_bench = importlib.import_module("kill_bench")
    assert kill_bench.NAMED == POINTS
    with kill_bench.serving() as endpoint:
        yield kill_bench.Trials(endpoint, tmp_path_factory.mktemp("killed"), SAMPLES, IN_FLIGHT)


def _is_as_if_nobody_had_killed(trial: Any, kills: int = 1) -> None:
    assert trial.whole, trial  # the integrity check, before and after
    assert trial.lost == trial.doubled == trial.paid_twice == 0, trial
    assert trial.equal, trial
    assert trial.told == 1, trial  # the tracker's event is there, once
    assert trial.repeated <= kills * IN_FLIGHT, trial  # what was in flight at the one endpoint


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_at_a_named_point_ends_as_if_nobody_had(
    point: str, trials: Any
) -> None:  # STO-02, STO-12, STO-17
    _is_as_if_nobody_had_killed(trials.named(point))


@pytest.mark.parametrize(("call", "after_s"), [(7, 0.004), (50, 0.0), (83, 0.019), (119, 0.011)])
def test_a_run_that_is_killed_while_calls_are_in_flight_ends_as_if_nobody_had(
    call: int, after_s: float, trials: Any
) -> None:  # STO-01
    _is_as_if_nobody_had_killed(trials.at_call(call, after_s))


def test_a_run_that_is_killed_and_then_three_times_while_it_is_resumed_ends_as_if_nobody_had(
    trials: Any,
) -> None:  # STO-19
    _is_as_if_nobody_had_killed(trials.while_resuming([20, 45, 70, 95]), kills=4)


def test_a_run_that_the_kernel_kills_for_want_of_memory_ends_as_if_nobody_had(trials: Any) -> None:  # STO-22
    _is_as_if_nobody_had_killed(trials.out_of_memory())
