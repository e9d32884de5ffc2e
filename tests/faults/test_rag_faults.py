"""RAG metrics over a whole run, against a model server: what cannot be scored is counted by its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.metrics.rag.nearness import WORDINGS

ENGLISH_ONLY = "all-MiniLM-L6-v2"
TEXTS = [text for wordings in WORDINGS.values() for text in wordings]
KOREAN, ENGLISH, GREETING = "네, 내일은 비가 옵니다.", "Yes, it rains tomorrow.", "안녕하세요!"
SUITE = """\
suite: passages
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
judge: grader
embeddings: llm
metrics:
  faithful: faithfulness
  relevant: answer_relevancy
  correct: answer_correctness
  claims: { answer_correctness: , weights: [1, 0] }
  ranked: context_precision
  recalled: context_recall
limits: { tries: 1 }
"""


def _vectors() -> dict[str, list[float]]:
    """Vectors with the cosines that a real model for English gives the built-in wordings."""
    file = Path(__file__).parents[1] / "unit" / "metrics" / "measured_cosines.json"
    cosines = np.eye(len(TEXTS))
    for row, values in enumerate(json.loads(file.read_text(encoding="utf-8"))[ENGLISH_ONLY]["cosines"]):
        cosines[row, : len(values)] = cosines[: len(values), row] = values
    size, axes = np.linalg.eigh(cosines)
    return dict(zip(TEXTS, (axes * np.sqrt(np.clip(size, 0, None))).tolist(), strict=True))


VECTORS = _vectors()


def _embedded(body: dict[str, Any]) -> tuple[int, str]:
    data = [{"index": n, "embedding": VECTORS.get(text, VECTORS[TEXTS[0]])} for n, text in enumerate(body["input"])]
    return 200, json.dumps({"data": data, "model": ENGLISH_ONLY, "usage": {"prompt_tokens": 3}})


def _judged(body: dict[str, Any]) -> Any:
    """One statement of every text but a greeting, borne out by everything."""
    prompt, verdict = body["messages"][-1]["content"], {"index": 1, "reason": "r", "verdict": 1}
    match body["response_format"]["json_schema"]["name"]:
        case "statements":
            return {"statements": [] if GREETING in prompt else ["비가 온다."]}
        case "questions":
            return {"noncommittal": 0, "questions": [WORDINGS["other"][3]] * 3}
        case "attribution":
            return {"statements": ["비가 온다."], "verdicts": [verdict]}
    return {"reason": "r", "verdict": 1, "verdicts": [verdict]}


@pytest.fixture
def passages(project: Any, server: Any) -> Any:
    """Three samples in Korean, of which one is answered by a greeting, and two in English."""
    server.answer = lambda body, _: (
        _embedded(body) if "input" in body else _chat(json.dumps(_judged(body), ensure_ascii=False))
    )
    asked = {"other": [ENGLISH] * 2, "hangul": [KOREAN, KOREAN, GREETING]}
    rows = [(f"{script}-{n}", script, said) for script, answers in asked.items() for n, said in enumerate(answers)]
    samples = [
        {"id": name, "input": WORDINGS[script][2], "reference": WORDINGS[script][3], "contexts": ["비 / rain"]}  # type: ignore[index]  # a name of a script
        for name, script, _ in rows
    ]
    for file, lines in (("samples", samples), ("outputs", [{"id": name, "output": said} for name, _, said in rows])):
        (project.folder / f"{file}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    project.suite.write_text(SUITE)
    return project


def _chat(text: str) -> tuple[int, str]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return 200, json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 3}})


def _accounts(report: Any) -> dict[str, tuple[int, dict[str, int]]]:
    return {account.metric: (account.scored, dict(account.unscored)) for account in report.accounting}


def test_korean_is_counted_out_of_similarity_and_english_goes_on(passages: Any, server: Any) -> None:
    with passages.bench() as bench:
        report = bench.run(passages.suite)
    accounts = _accounts(report)
    assert accounts["relevant"] == accounts["correct"] == (2, {"unsupported_language": 3})
    assert accounts["claims"] == accounts["ranked"] == accounts["recalled"] == (5, {})
    assert "relevant, correct: 2 of 5 scored; unsupported_language 3" in report.text
    checks = [body for body in server.bodies if body.get("input") == TEXTS]
    assert len(checks) == 2  # one of each metric that takes a similarity


def test_an_answer_without_claims_is_no_zero_no_one_and_no_nan(passages: Any) -> None:  # JDG-14
    with passages.bench() as bench:
        report = bench.run(passages.suite)
    assert _accounts(report)["faithful"] == (4, {"no_claims": 1})
    assert "faithful: 4 of 5 scored; no_claims 1" in report.text
    (faithful,) = [one for one in report.estimates if one.metric == "faithful" and not one.slice]
    assert (faithful.value, faithful.n) == (1.0, 4)


def test_a_judge_that_declines_is_counted_as_declining(passages: Any, server: Any) -> None:  # JDG-05
    server.answer = lambda body, _: _embedded(body) if "input" in body else _chat("죄송하지만 평가할 수 없습니다.")
    with passages.bench() as bench:
        report = bench.run(passages.suite)
    accounts = _accounts(report)
    assert accounts.pop("relevant") == accounts.pop("correct") == (0, {"judge_refusal": 2, "unsupported_language": 3})
    assert accounts == dict.fromkeys(accounts, (0, {"judge_refusal": 5}))


def test_a_similarity_that_fails_is_asked_again_by_the_next_run(passages: Any, server: Any) -> None:
    whole = server.answer
    server.answer = lambda body, headers: (503, "{}") if "input" in body else whole(body, headers)
    with passages.bench() as bench:
        assert _accounts(bench.run(passages.suite))["relevant"] == (0, {"judge_failed": 5})
        server.answer = whole
        passages.suite.write_text(SUITE + "slices: [topic]\n")
        assert _accounts(bench.run(passages.suite))["relevant"] == (2, {"unsupported_language": 3})
