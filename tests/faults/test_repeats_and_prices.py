"""The same question asked again, and a model whose price nobody knows: what is not known is not claimed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from haetae.errors import ConfigError

HOME_PRICE = "price: { input: 1, output: 2 }\n"


def _repeated(project: Any, times: int) -> None:
    text = project.suite.read_text().replace("prompt: ask@production }", f"prompt: ask@production, repeats: {times} }}")
    text = text.replace("  polite: { judge: polite.md, scale: [0, 1] }\n", "  exact: exact_match\n")
    project.suite.write_text(re.sub(r"gate:.*?(?=limits)", "", text, flags=re.DOTALL))


def test_twenty_answers_at_temperature_0_show_how_far_they_differ(
    project: Any, server: Any, replies: Any
) -> None:  # MET-10
    """19 answers of a sample are right and one is wrong: sd = √(20 · 0.05 · 0.95 / 19) by hand."""
    project.write_samples(2)
    _repeated(project, 20)
    turns: dict[str, int] = {}

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        assert body["temperature"] == 0
        asked = body["messages"][-1]["content"]
        turns[asked] = turns.get(asked, 0) + 1
        wrong = asked.endswith("question 0") and turns[asked] == 7
        return replies.completed("something else" if wrong else f"answer to {asked}")

    server.answer = answer
    with project.bench() as bench:
        report = bench.run(project.suite)
        kept = bench.report(report.run.id)
    assert turns == {"q question 0": 20, "q question 1": 20}  # no answer was taken for another's
    for each in (report, kept):
        spread = each.repeats["exact"]
        assert (spread.times, spread.groups, spread.differing) == (20, 2, 0.5)
        pooled = (20 * 0.05 * 0.95) / 38
        assert spread.sd == pytest.approx(pooled**0.5)
        assert "  exact: 50.0% of 2 samples got differing scores (95 % interval " in each.text
        assert f"standard deviation {spread.sd:.3g} within one" in each.text
        assert each.as_json()["repeats"]["exact"]["differing"] == 0.5
        assert "determinis" not in each.text.lower()
    value = next(estimate for estimate in report.estimates if estimate.metric == "exact")
    assert (value.n, value.value) == (2, pytest.approx(39 / 40))


def test_a_run_that_asks_once_says_nothing_of_repeats(project: Any) -> None:  # MET-10
    with project.bench() as bench:
        report = bench.run(project.suite)
    assert report.repeats == {}
    assert "differing scores" not in report.text


def test_the_cost_of_a_model_without_a_price_is_unknown_and_never_0(project: Any) -> None:  # MET-12
    text = project.suite.read_text().replace("  polite: { judge", "  cost: cost_usd\n  polite: { judge")
    project.suite.write_text(text)
    with project.bench() as bench:
        report = bench.run(project.suite)
        row = bench.ledger.done(report.run.id)["s000", 0]
    cost = next(estimate for estimate in report.estimates if estimate.metric == "cost")
    assert (cost.value, cost.n, cost.unscored) == (None, 0, 20)
    assert dict(next(a for a in report.accounting if a.metric == "cost").unscored) == {"unknown_price": 20}
    assert report.spent.cost_usd is None
    assert report.as_json()["spent"]["cost_usd"] is None
    assert "cost unknown" in report.spent_line
    assert "$0" not in report.text
    generation, scores = row
    assert generation.result.cost_usd is None
    assert (scores["cost"].score.value, scores["cost"].score.reason) == (None, "unknown_price")


def test_calls_of_unknown_price_are_told_beside_the_cost_of_the_others(project: Any) -> None:  # MET-12
    (project.folder / "llm.yaml").write_text((project.folder / "llm.yaml").read_text() + HOME_PRICE)
    with project.bench() as bench:
        bench.register("model", project.folder / "llm.yaml")
        report = bench.run(project.suite)
    spent = report.spent
    assert spent.cost_usd == pytest.approx(20 * (10 * 1 + 5 * 2) / 1e6)  # 10 tokens in and 5 out, dollars per million
    assert spent.unpriced_calls == 20  # the judge's
    assert "and 20 calls of unknown price" in report.spent_line


def test_money_cannot_be_counted_without_a_price_so_its_budget_is_refused(project: Any, server: Any) -> None:  # MET-12
    project.suite.write_text(project.suite.read_text() + "budget: { usd: 1 }\n")
    with project.bench() as bench, pytest.raises(ConfigError, match=r"has no price, so its cost could not be counted"):
        bench.run(project.suite)
    assert server.bodies == []
