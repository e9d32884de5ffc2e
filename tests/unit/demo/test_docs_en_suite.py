"""The docs-en suite that ships: strict rows, a suite file that loads, and a second prompt that is worse."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import pytest
from rouge_score import rouge_scorer

from haetae.catalog.prompt_file import load_prompt
from haetae.catalog.suite_file import load_suite
from haetae.core.sample import sample_from_json
from haetae.demo.answerer import UNKNOWN_EN, answer, read
from haetae.demo.text import sentences

FOLDER = Path(__file__).parents[3] / "datasets" / "docs-en"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (FOLDER / "samples.jsonl").read_text("utf-8").splitlines()]


def answers(prompt: str) -> list[str]:
    """What the extractive answerer says to every sample under a prompt file."""
    template = load_prompt(FOLDER / "prompts" / f"{prompt}.yaml")
    said = []
    for row in ROWS:
        values = {"input": row["input"], "contexts": row["contexts"], "metadata": row["metadata"]}
        system, user = template.render(values, row["id"])
        said.append(answer(read(user.content, system.content), Random(0)))  # noqa: S311  # no slip is asked for
    return said


def test_every_row_has_the_same_strict_shape() -> None:
    assert len(ROWS) >= 120
    assert len({row["id"] for row in ROWS}) == len({row["input"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.keys() - {"reference_contexts"} == {"id", "input", "reference", "contexts", "metadata"}
        assert row["metadata"].keys() == {"language", "topic", "difficulty", "document"}
        assert row["metadata"]["difficulty"] in ("easy", "hard")
        assert 2 <= len(row["contexts"]) <= 4
        sample = sample_from_json({**row, "references": [row["reference"]]})
        assert sample.text == row["input"]


def test_a_row_without_an_answer_says_so_and_the_others_hold_theirs() -> None:
    without = [row for row in ROWS if "reference_contexts" not in row]
    assert len(without) == 8
    assert {row["reference"] for row in without} == {UNKNOWN_EN}
    for row in ROWS:
        assert set(row.get("reference_contexts", ())) <= set(row["contexts"])


def test_the_right_passage_stands_in_every_place() -> None:
    places = Counter(row["contexts"].index(row["reference_contexts"][0]) for row in ROWS if "reference_contexts" in row)
    assert min(places[0], places[1], places[2], places[3]) >= 10


def test_the_suite_file_loads_and_names_files_that_exist() -> None:
    loaded = load_suite(FOLDER / "suite.yaml", {})
    assert loaded.suite.gate is not None
    assert set(loaded.suite.gate.metrics) == {"rouge", "faithful", "helpful"}
    assert {gate.max_drop for gate in loaded.suite.gate.metrics.values()} == {0.05}
    rubric = loaded.suite.metrics["helpful"]
    assert isinstance(rubric, dict)
    assert load_prompt(loaded.locate("metrics.helpful", rubric["judge"])).variables >= {"output", "reference"}


@pytest.mark.parametrize("prompt", ["answer.v1", "answer.v2"])
def test_every_answer_stands_in_its_passages(prompt: str) -> None:
    for row, said in zip(ROWS, answers(prompt), strict=True):
        for sentence in sentences(said):
            assert said == UNKNOWN_EN or any(sentence in passage for passage in row["contexts"])


def test_the_second_prompt_is_shorter_and_worse() -> None:
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    first, second = answers("answer.v1"), answers("answer.v2")
    assert max(len(said.split()) for said in second) <= 8
    quality = [
        mean(scorer.score(row["reference"], said)["rougeL"].fmeasure for row, said in zip(ROWS, every, strict=True))
        for every in (first, second)
    ]
    assert 0.6 < quality[0] < 0.8
    assert quality[0] - quality[1] > 0.08
