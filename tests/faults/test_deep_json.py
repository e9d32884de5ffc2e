"""JSON nested ten thousand deep is something that cannot be read, wherever it comes from: never a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.canonical import loads
from haetae.errors import HaetaeError

DEPTHS = [10_000, 200_000]
DEEP = {
    "lists": lambda n: "[" * n + "]" * n,
    "objects": lambda n: '{"a":' * n + "1" + "}" * n,
    "open": lambda n: "[" * n,
}


@pytest.fixture(params=DEEP)
def deep(request: pytest.FixtureRequest) -> Any:
    return DEEP[request.param]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_parser_refuses_it_with_a_place(deep: Any, depth: int) -> None:  # SEC-20
    with pytest.raises(json.JSONDecodeError):
        loads(deep(depth))


def test_a_judge_that_replies_with_it_is_a_judge_that_cannot_be_read(
    deep: Any, project: Any, server: Any, replies: Any
) -> None:  # SEC-20
    project.write_samples(2)
    usual = server.answer

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        return replies.completed(deep(10_000)) if body["model"] == "judge" else usual(body, headers)

    server.answer = answer
    with project.bench() as bench:
        report = bench.run(project.suite)
    account = next(each for each in report.accounting if each.metric == "polite")
    assert (account.scored, dict(account.unscored)) == (0, {"judge_parse_failure": 2})


def test_an_endpoint_that_replies_with_it_has_sent_no_answer(deep: Any, project: Any, server: Any) -> None:  # SEC-20
    project.write_samples(2)
    server.answer = lambda body, headers: (200, deep(10_000))
    with project.bench() as bench:
        report = bench.run(project.suite)
    account = next(each for each in report.accounting if each.metric == "chrf")
    assert (account.scored, dict(account.unscored)) == (0, {"not_generated": 2})
    assert {failure.reason for failure in report.failures} == {"malformed_response"}


def test_recorded_outputs_with_it_are_refused_with_the_line(deep: Any, project: Any) -> None:  # SEC-20
    (project.folder / "answers.jsonl").write_text('{"id": "s000", "output": "a"}\n' + deep(10_000) + "\n")
    project.suite.write_text(
        "suite: s\ndataset: samples.jsonl\ntarget: { outputs: answers.jsonl }\nmetrics: { chrf: chrf }\n"
    )
    with project.bench() as bench, pytest.raises(HaetaeError, match=r"answers\.jsonl:2") as refused:
        bench.run(project.suite)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("suite.yaml", lambda bench, path: bench.run(path)),
        ("llm.yaml", lambda bench, path: bench.register("model", path)),
    ],
)
def test_a_file_of_yaml_with_it_is_refused(file: str, read: Any, project: Any) -> None:  # SEC-20
    (project.folder / file).write_text("a: " + "[" * 10_000 + "]" * 10_000)
    with project.bench() as bench, pytest.raises(HaetaeError) as refused:
        read(bench, project.folder / file)
    assert refused.value.exit_code == 2
    assert file in str(refused.value)


def test_a_score_file_with_it_is_refused(deep: Any, tmp_path: Path) -> None:  # SEC-20
    (tmp_path / "scores.jsonl").write_text('{"id": "a", "metric": "m", "score": 1}\n' + deep(10_000) + "\n")
    with pytest.raises(HaetaeError) as refused:
        scores_of(tmp_path / "scores.jsonl")
    assert refused.value.exit_code == 2
