"""A search in three stages as a function target: each stage scored, and the one that was made worse is named."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval

from haetae.core.verdict import Verdict
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

FILES = Path(__file__).with_name("files")
DATASETS = Path(__file__).parents[3] / "datasets"
SHIPPED = DATASETS / "retrieval"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project that searches the passages of the suites that ship, and asks the questions of datasets/retrieval."""
    monkeypatch.setattr("sys.path", [str(FILES), *sys.path])
    import record_retrieval

    (tmp_path / "pyproject.toml").touch()
    record_retrieval.write(tmp_path / "passages.jsonl", record_retrieval.passages(DATASETS))
    shutil.copy(SHIPPED / "samples.jsonl", tmp_path)
    text = (SHIPPED / "suite.yaml").read_text("utf-8")
    (tmp_path / "suite.yaml").write_text(text.replace("outputs: outputs.jsonl", "function: searched:answer"), "utf-8")
    yield tmp_path
    for module in ("searched", "record_retrieval"):
        sys.modules.pop(module, None)


def application(project: Path, **constants: int) -> None:
    """The search as the project's module, with other constants where they are named."""
    text = (FILES / "passage_search.py").read_text("utf-8")
    text += "".join(f"\n{name} = {value}\n" for name, value in constants.items())
    (project / "searched.py").write_text(text, "utf-8")
    sys.modules.pop("searched", None)


def bench_of(project: Path) -> Workbench:
    return Workbench(load_settings({"HAETAE_HOME": str(project / "home")}))


def values(report: Any) -> dict[str, float]:
    return {one.metric: one.value for one in report.estimates if not one.slice}


def by_trec_eval(bench: Workbench, run: str, stage: str, measure: str) -> float:
    """The mean of trec_eval's own numbers over a run."""
    judged, ranked = {}, {}
    for row in bench.ledger.results(run):
        assert row.generation is not None
        ids = row.generation.result.stage(stage).retrieved  # type: ignore[union-attr]  # every question is answered
        judged[row.sample.id] = dict(row.sample.relevant or {})
        ranked[row.sample.id] = {one: float(-rank) for rank, one in enumerate(ids)}
    found = pytrec_eval.RelevanceEvaluator(judged, {measure}).evaluate(ranked)
    return sum(next(iter(scores.values())) for scores in found.values()) / len(found)


def test_every_stage_is_scored_as_trec_eval_scores_its_ranking(project: Path) -> None:
    application(project)
    with bench_of(project) as bench:
        report = bench.run(project / "suite.yaml")
        run, said = report.run.id, values(report)
        assert report.run.total == 106
        for metric, stage, measure in (
            ("found", "search", "recall.20"),
            ("search_ndcg", "search", "ndcg_cut.5"),
            ("rerank_ndcg", "rerank", "ndcg_cut.5"),
            ("first", "select", "recip_rank"),
            ("hit", "select", "success.1"),
        ):
            assert said[metric] == pytest.approx(by_trec_eval(bench, run, stage, measure), abs=1e-9)
    assert said["rerank_ndcg"] > said["search_ndcg"]  # the stage earns its place
    assert said["search_latency"] > 0
    assert said["rerank_latency"] > 0


def test_what_ships_was_recorded_from_this_very_search(project: Path) -> None:
    application(project)
    recorded = project / "recorded"
    shutil.copytree(SHIPPED, recorded)
    with bench_of(project) as bench:
        asked, kept = values(bench.run(project / "suite.yaml")), values(bench.run(recorded / "suite.yaml"))
    for metric in ("index", "found", "search_ndcg", "rerank_ndcg", "first", "hit"):
        assert asked[metric] == pytest.approx(kept[metric], abs=0.02)  # ties of single precision may turn elsewhere


@pytest.mark.parametrize(
    ("constants", "verdict"), [({}, Verdict.PASS), ({"PROBES": 1}, Verdict.REGRESSION)], ids=["the same", "one cell"]
)
def test_the_gate_names_the_stage_that_was_made_worse(
    constants: dict[str, int], verdict: Verdict, project: Path
) -> None:
    suite = project / "suite.yaml"
    with bench_of(project) as bench:
        application(project)
        first = bench.run(suite)
        bench.promote(first.run.id)
        application(project, **constants)
        second = bench.gate(suite)
        assert second.verdict is verdict
        if verdict is Verdict.REGRESSION:
            assert second.comparison is not None
            worse = {one.metric for one in second.comparison.differences if one.verdict is Verdict.REGRESSION}
            assert "found" in worse
            assert values(second)["index"] < values(first)["index"] - 0.2


def test_the_function_is_not_shown_what_is_relevant(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "searched.py").write_text(
        "def answer(sample):\n    return f'{sample.relevant} {sample.reference_contexts} {sample.references}'\n"
    )
    sys.modules.pop("searched", None)
    with bench_of(project) as bench:
        report = bench.run(project / "suite.yaml")
        said = {row.generation.result.output for row in bench.ledger.results(report.run.id) if row.generation}  # type: ignore[union-attr]
    assert said == {"None None ()"}


def test_every_question_names_a_passage_that_is_there(project: Path) -> None:
    ids = {json.loads(line)["id"] for line in (project / "passages.jsonl").read_text("utf-8").splitlines()}
    rows = [json.loads(line) for line in (SHIPPED / "samples.jsonl").read_text("utf-8").splitlines()]
    assert len(ids) == 99
    assert {name for row in rows for name in row["relevant"]} <= ids
    assert {row["metadata"]["language"] for row in rows} == {"en", "ko"}
    outputs = [json.loads(line) for line in (SHIPPED / "outputs.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in outputs] == [row["id"] for row in rows]
    assert all(set(stage["retrieved"]) <= ids for row in outputs for stage in row["stages"])
