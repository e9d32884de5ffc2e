"""The gate that stops asking: fixed order, looks, saved calls, top-up."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.sample import Sample
from haetae.core.suite import Suite
from haetae.core.verdict import Verdict
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.looking import fixed_order, look_of_each, looks_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """project(n, gate='…', extra='…'): a suite of n samples whose target is `answer`."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "looked_at_app.py").write_text(
        "calls = []\nworse = set()\n"
        "def answer(input):\n    calls.append(input)\n    return 'no' if input in worse else 'yes'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(n: int, gate: str = "sequential: true", extra: str = "") -> Path:
        rows = ({"id": f"s{i:04}", "input": f"q{i}", "reference": "yes"} for i in range(n))
        (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        suite = tmp_path / "suite.yaml"
        suite.write_text(
            "suite: looked\ndataset: samples.jsonl\ntarget: { function: 'looked_at_app:answer' }\n"
            f"metrics: {{ exact: exact_match }}\n{extra}"
            f"gate:\n  {gate}\n  metrics: {{ exact: {{ max_drop: 0.10 }} }}\n"
        )
        return suite

    return make


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(load_settings({}, tmp_path)) as made:
        yield made


@pytest.fixture
def app(project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The application under test: answers yes, but no to the questions in `worse`; remembers its `calls`."""
    monkeypatch.delitem(sys.modules, "looked_at_app", raising=False)
    yield importlib.import_module("looked_at_app")
    sys.modules.pop("looked_at_app", None)


def test_an_unchanged_application_passes_before_all_samples_are_asked(
    project: Callable[..., Path], bench: Workbench, app: Any
) -> None:
    suite = project(400)
    bench.promote(bench.run(suite).run.id)
    app.calls.clear()
    report = bench.gate(suite)
    assert report.verdict is Verdict.PASS
    assert report.run.status is RunStatus.FINISHED
    assert report.comparison is not None
    account = report.accounting[0]
    assert len(app.calls) == account.scored < 400
    assert account.scored + sum(account.unscored.values()) + account.not_run == 400
    assert f"after {account.scored} of 400 samples; about {400 - account.scored} calls were saved" in report.text


def test_a_clear_regression_stops_at_the_first_look(project: Callable[..., Path], bench: Workbench, app: Any) -> None:
    suite = project(400)
    bench.promote(bench.run(suite).run.id)
    app.calls.clear()
    app.worse.update(f"q{i}" for i in range(0, 400, 2))
    report = bench.gate(suite)
    assert report.verdict is Verdict.REGRESSION
    assert len(app.calls) == 40
    assert "Decided at look 1 of 10, after 40 of 400 samples; about 360 calls were saved." in report.text


def test_a_run_that_is_not_a_gate_asks_everything(project: Callable[..., Path], bench: Workbench, app: Any) -> None:
    suite = project(100)
    bench.promote(bench.run(suite).run.id)
    app.calls.clear()
    assert bench.run(suite).accounting[0].scored == len(app.calls) == 100


def test_without_a_baseline_a_gate_asks_everything_so_that_it_can_become_one(
    project: Callable[..., Path], bench: Workbench, app: Any
) -> None:
    report = bench.gate(project(100))
    assert report.verdict is Verdict.NO_VERDICT
    assert report.accounting[0].scored == 100


def test_an_undecided_gate_asks_the_planned_top_up(project: Callable[..., Path], bench: Workbench, app: Any) -> None:
    suite = project(200, gate="on_inconclusive: { add: 120 }", extra="limit: 40\n")
    assert bench.check(suite).samples == 160
    bench.promote(bench.run(suite).run.id)
    app.calls.clear()
    ids = (sample.id for sample in _samples(160))
    order = [f"q{place}" for place in fixed_order(ids, bench.run(suite).run.seed)]
    app.calls.clear()
    app.worse.update(order[:2])  # two drops in 40: neither proven worse nor proven within 10 points
    report = bench.gate(suite)
    assert len(app.calls) == 160
    assert "look 2 of 2" in report.text


def _samples(n: int) -> Iterator[Sample]:
    return (Sample(f"s{i:04}", f"q{i}", ("yes",)) for i in range(n))


def test_the_order_is_fixed_in_advance_and_does_not_depend_on_the_file() -> None:
    ids = [f"s{i}" for i in range(50)]
    order = [ids[place] for place in fixed_order(ids, 7)]
    assert order == [ids[::-1][place] for place in fixed_order(ids[::-1], 7)]
    assert order != ids
    assert order != [ids[place] for place in fixed_order(ids, 8)]
    assert sorted(order) == sorted(ids)


def test_each_look_has_the_next_of_that_order_and_of_a_sample_only_its_number_is_held() -> None:
    order, looks = fixed_order((f"s{i}" for i in range(50)), 7), (10, 30, 50)
    look_of = look_of_each(order, looks)
    assert isinstance(look_of, bytes)
    for number, (start, stop) in enumerate([(0, 10), (10, 30), (30, 50)]):
        assert {place for place in range(50) if look_of[place] == number} == set(order[start:stop])


def _suite(**gate: object) -> Suite:
    limit = gate.pop("limit", None)
    budget = gate.pop("budget", None)
    return Suite.model_validate(
        {
            "suite": "s",
            "dataset": "d.jsonl",
            "target": {"outputs": "o.jsonl"},
            "metrics": {"m": "exact_match"},
            "gate": {"metrics": {"m": {}}, **gate},
            **({"limit": limit} if limit else {}),
            **({"budget": budget} if budget else {}),
        }
    )


def test_looks_are_taken_by_default_only_where_calls_are_dear() -> None:
    assert looks_of(_suite(), 400, judged=False) is None
    assert looks_of(_suite(), 400, judged=True) == tuple(range(40, 401, 40))
    assert looks_of(_suite(budget={"usd": 1.0}), 400, judged=False) == tuple(range(40, 401, 40))
    assert looks_of(_suite(sequential=False), 400, judged=True) is None
    assert looks_of(_suite(sequential=True, looks=4), 400, judged=False) == (100, 200, 300, 400)


def test_a_top_up_is_one_more_planned_look() -> None:
    topped = _suite(limit=200, on_inconclusive={"add": 100})
    assert topped.most_samples == 300
    assert looks_of(topped, 300, judged=False) == (200, 300)
    assert looks_of(_suite(limit=200, on_inconclusive={"add": 100}, sequential=True, looks=2), 300, judged=False) == (
        100,
        200,
        300,
    )
    assert looks_of(topped, 150, judged=False) is None  # the dataset has no more


def test_a_top_up_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="adds samples beyond limit"):
        _suite(on_inconclusive={"add": 100})
