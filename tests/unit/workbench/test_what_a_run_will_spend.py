"""The plan of a suite before anything is spent: calls, tokens, cost, and what it can see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from haetae.demo.server import DemoServer
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.report import Report

PRICE = "price: { input: 1.0, output: 10.0 }\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    (tmp_path / "pyproject.toml").touch()
    with Workbench(load_settings({}, tmp_path)) as made:
        yield made


@pytest.fixture
def suite(tmp_path: Path, bench: Workbench) -> Callable[..., Path]:
    """suite(target, metrics='…', price='…'): 100 samples of 40 bytes with references of 8 bytes."""

    def make(
        target: str, metrics: str = "exact: exact_match", price: str = PRICE, url: str = "http://127.0.0.1:9/v1"
    ) -> Path:
        samples = [{"id": f"s{i:03}", "input": f"q{i:039}", "reference": "yes, yes"} for i in range(100)]
        _write(tmp_path / "samples.jsonl", samples)
        _write(tmp_path / "outputs.jsonl", [{"id": sample["id"], "output": "no"} for sample in samples])
        (tmp_path / "llm.yaml").write_text(f"base_url: {url}\nmodel: extractive-answerer\n{price}")
        bench.register("model", tmp_path / "llm.yaml")
        for name in ("second", "third"):
            (tmp_path / f"{name}.yaml").write_text(f"base_url: {url}\nmodel: {name}\n{price}")
            bench.register("model", tmp_path / f"{name}.yaml")
        file = tmp_path / "suite.yaml"
        file.write_text(
            f"suite: planned\ndataset: samples.jsonl\ntarget: {target}\njudge: llm\n"
            f"metrics: {{ {metrics} }}\ngate: {{ metrics: {{ exact: {{ max_drop: 0.05 }} }} }}\n"
        )
        return file

    return make


def _write(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_recorded_answers_that_nothing_judges_cost_nothing(bench: Workbench, suite: Callable[..., Path]) -> None:
    plan = bench.check(suite("{ outputs: outputs.jsonl }"))
    assert (plan.spending.calls, plan.spending.tokens, plan.spending.cost_usd) == (0, 0, 0.0)
    assert "no calls: no model is asked, and nothing is judged" in plan.text


def test_a_check_warns_of_answers_that_are_missing(
    bench: Workbench, suite: Callable[..., Path], tmp_path: Path
) -> None:
    file = suite("{ outputs: outputs.jsonl }")
    assert bench.check(file).warnings == ()
    _write(tmp_path / "outputs.jsonl", [{"id": f"s{i:03}", "output": "no"} for i in range(95)])
    plan = bench.check(file)
    told = "target.outputs: outputs.jsonl has no output for 5 of 100 samples: s095, s096, s097, …"
    assert plan.as_json()["warnings"] == [told]
    assert plan.text.endswith(f"\n  ! {told}")


def test_a_check_warns_of_trackers_that_are_not_installed(
    bench: Workbench, suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = suite("{ outputs: outputs.jsonl }")
    file.write_text(file.read_text() + "track: [mlflow, wandb]\n")
    monkeypatch.setattr("haetae.workbench.foreseen.find_spec", lambda name: None if name == "wandb" else object())
    (told,) = bench.check(file).warnings
    assert told.startswith("track: wandb is not installed; ")
    assert told.endswith("'.[wandb]'")


def test_a_check_warns_of_a_slice_that_no_sample_is_in(
    bench: Workbench, suite: Callable[..., Path], tmp_path: Path
) -> None:
    file = suite("{ outputs: outputs.jsonl }")
    rows = [{"id": f"s{i:03}", "input": "q", "reference": "yes", "metadata": {"lang": "ko"}} for i in range(100)]
    _write(tmp_path / "samples.jsonl", rows)
    file.write_text(file.read_text() + "slices: [lang]\n")
    assert bench.check(file).warnings == ()
    file.write_text(file.read_text().replace("[lang]", "[lamg]"))
    (told,) = bench.check(file).warnings
    assert told == "slices: no sample has 'lamg' in its metadata; did you mean lang?"


def test_before_the_first_run_tokens_and_cost_come_from_the_length_of_the_texts(
    bench: Workbench, suite: Callable[..., Path]
) -> None:
    spending = bench.check(suite("{ model: llm }")).spending
    asked = len('[{"content":"' + "q" * 40 + '","role":"user"}]') / 4
    assert spending.calls == 100
    assert spending.tokens == 100 * (round(asked) + 2)
    assert spending.cost_usd == pytest.approx(100 * (round(asked) * 1.0 + 2 * 10.0) / 1e6)
    assert spending.basis is None


def test_judged_metrics_add_their_calls(bench: Workbench, suite: Callable[..., Path]) -> None:
    plain = bench.check(suite("{ model: llm }")).spending
    judged = bench.check(suite("{ model: llm }", "exact: exact_match, faithful: faithfulness")).spending
    assert judged.calls == plain.calls + 200
    assert judged.tokens is not None
    assert plain.tokens is not None
    assert judged.tokens > plain.tokens + 200 * 450


@pytest.mark.parametrize(
    ("metric", "calls"),
    [
        ("{ judge: helpfulness.en }", 1),
        ("{ judge: helpfulness.en, samples: 5 }", 5),
        ("{ pairwise: preference.en }", 2),
        ("{ best_of: preference.en, against: [outputs.jsonl, outputs.jsonl] }", 3),
        ("{ jury: helpfulness.en, models: [llm, second, third] }", 3),
        ("{ g_eval: It is right., samples: 7 }", 8),
    ],
)
def test_judges_tell_how_often_they_ask(bench: Workbench, suite: Callable[..., Path], metric: str, calls: int) -> None:
    plain = bench.check(suite("{ model: llm }")).spending
    judged = bench.check(suite("{ model: llm }", f"exact: exact_match, judged: {metric}")).spending
    assert judged.calls == plain.calls + 100 * calls
    assert judged.cost_usd is not None  # that of a jury too


def test_a_model_without_a_price_costs_an_unknown_amount_never_nothing(
    bench: Workbench, suite: Callable[..., Path]
) -> None:
    plan = bench.check(suite("{ model: llm }", price=""))
    assert plan.spending.cost_usd is None
    assert "cost unknown" in plan.text


def test_after_a_run_that_asked_everything_its_own_figures_are_taken(
    bench: Workbench, suite: Callable[..., Path]
) -> None:
    async def run_twice() -> tuple[Path, Report]:
        async with DemoServer() as server:
            file = suite("{ model: llm }", url=server.base_url)
            first = await asyncio.to_thread(bench.run, file)
            await asyncio.to_thread(bench.run, file)  # reuses every answer: says nothing of what asking costs
            return file, first

    file, before = asyncio.run(run_twice())
    spending = bench.check(file).spending
    assert spending.basis == before.run.id
    assert (spending.calls, spending.tokens) == (before.spent.calls, before.spent.tokens)
    assert spending.cost_usd == pytest.approx(before.spent.cost_usd)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("{ calls: 10 }", "the budget (10 calls) ends the run after about 10 of 100 samples"),
        ("{ usd: 0.0001 }", "the budget ($0.0001) ends the run after about 2 of 100 samples"),
        ("{ calls: 1000, usd: 5, tokens: 1000000 }", None),
    ],
)
def test_a_budget_that_ends_the_run_early_is_told_before(
    bench: Workbench, suite: Callable[..., Path], budget: str, said: str | None
) -> None:
    file = suite("{ model: llm }")
    file.write_text(f"{file.read_text()}budget: {budget}\n")
    assert bench.check(file).warnings == (() if said is None else (said,))


def test_a_rate_says_how_long_a_run_takes_at_least(bench: Workbench, suite: Callable[..., Path]) -> None:
    assert bench.check(suite("{ model: llm }")).slowest_rate is None
    file = suite("{ model: llm }", "exact: exact_match, kind: { judge: helpfulness.en }", "requests_per_minute: 6\n")
    plan = bench.check(file)
    assert plan.slowest_rate == (6, 2000.0)  # 100 questions and 100 judgements, one in ten seconds
    assert "\n  at 6 requests a minute at least 33:20\n" in plan.text


def test_a_drop_that_is_wanted_is_told_the_samples_it_needs(bench: Workbench, suite: Callable[..., Path]) -> None:
    wanted = bench.check(suite("{ outputs: outputs.jsonl }"), wanted_drop=0.01).resolutions[0]
    declared = bench.check(suite("{ outputs: outputs.jsonl }")).resolutions[0]
    assert wanted.needed is not None
    assert declared.needed is not None
    assert wanted.needed == pytest.approx(25 * declared.needed, rel=0.01)
    assert wanted.drop == declared.drop
