"""Whatever an application returns for one sample fails that sample alone, by name, and the others are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation, Stage
from haetae.core.run import RunStatus

_CYCLE: dict[str, Any] = {}
_CYCLE["again"] = _CYCLE


def _call(arguments: Any, name: Any = "f") -> dict[str, Any]:
    return {"output": "x", "tool_calls": [{"name": name, "arguments": arguments}]}


RETURNED: dict[str, Any] = {
    "a set": _call({"a": {1}}),
    "an object": _call({"a": object()}),
    "bytes": _call({"a": b"x"}),
    "a cycle": _call(_CYCLE),
    "no number": _call({"a": float("nan")}),
    "a key of another type": _call({1: 2}),
    "arguments that are text": _call("abc"),
    "a name that is a number": _call({}, 5),
    "tool calls that are none": Generation("x", tool_calls=[{"name": "f"}]),  # type: ignore[arg-type]  # what a careless application does
    "a model that is a number": Generation("x", model=5),  # type: ignore[arg-type]  # likewise
    "a finish that is a list": Generation("x", finish_reason=["stop"]),  # type: ignore[arg-type]  # likewise
    "scores that are no numbers": Generation("x", recorded_scores={"a": float("nan")}),
    "scores that are text": Generation("x", recorded_scores={"a": "b"}),  # type: ignore[dict-item]  # likewise
    "usage that is a mapping": Generation("x", usage={"input": 1}),  # type: ignore[arg-type]  # likewise
    "attempts that are text": Generation("x", attempts="1"),  # type: ignore[arg-type]  # likewise
    "attempts beyond counting": Generation("x", attempts=10**30),
    "usage beyond counting": {"output": "x", "usage": {"input": 10**30}},
    "usage beyond adding up": {"output": "x", "usage": {"output": 2**63 - 1}},
    "a cost beyond adding up": {"output": "x", "cost_usd": 1e308},
    "a cost of thousands of digits": {"output": "x", "cost_usd": 10**5000},
    "scores of thousands of digits": Generation("x", recorded_scores={"a": 10**5000}),
    "an argument of thousands of digits": _call({"a": [10**5000]}),
    "an argument that JSON reads back as another": _call({"a": -(2**63) - 1}),
    "a stage that took for ever": {"output": "x", "stages": [{"name": "s", "latency_s": 10**400}]},
    "a stage with a score of thousands of digits": {"output": "x", "stages": [{"name": "s", "score": 10**5000}]},
    "contexts that are one text": Generation("x", contexts="abc"),  # type: ignore[arg-type]  # likewise
    "contexts that are numbers": {"output": "x", "contexts": [1, None]},
    "contexts that are a mapping": {"output": "x", "contexts": {"a": 1}},
    "a cost below nothing": {"output": "x", "cost_usd": -5},
    "a cost that is a truth": {"output": "x", "cost_usd": True},
    "a reason that is a number": Failure(5, "x"),  # type: ignore[arg-type]  # likewise
    "a message that is an object": Failure("timeout", object()),  # type: ignore[arg-type]  # likewise
    "a failure of two stages with one name": Failure("timeout", "x", stages=(Stage("judge"), Stage("judge"))),
    "a failure whose stages are texts": Failure("timeout", "x", stages=("judge",)),  # type: ignore[arg-type]  # likewise
}


def test_an_answer_that_no_ledger_could_keep_fails_its_own_sample(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (project.folder / "careless_app.py").write_text(
        "RETURNED = {}\n\ndef answer(q):\n    return RETURNED.get(q, 'fine')\n"
    )
    rows = [{"id": f"s{n:02}", "input": name, "reference": "fine"} for n, name in enumerate([*RETURNED, "plain"])]
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.suite.write_text(
        "suite: careless\ndataset: samples.jsonl\ntarget: { function: careless_app:answer }\n"
        "metrics: { exact: exact_match, cost: cost_usd }\n"
    )
    with project.bench() as bench:
        bench.check(project.suite)  # which imports the application
        __import__("sys").modules["careless_app"].RETURNED.update(RETURNED)  # type: ignore[attr-defined]  # the module above
        report = bench.run(project.suite)
        assert report.run.status is RunStatus.FINISHED
        done = bench.ledger.done(report.run.id)
        results = {row["input"]: done[row["id"], 0][0].result for row in rows}
    plain = results.pop("plain")
    assert isinstance(plain, Generation)
    assert plain.output == "fine"
    kept = {name: result for name, result in results.items() if not isinstance(result, Failure)}
    assert kept == {}
    assert {result.reason for result in results.values()} == {"target_raised"}
    exact = next(account for account in report.accounting if account.metric == "exact")
    assert (exact.scored, dict(exact.unscored)) == (1, {"not_generated": len(RETURNED)})


def test_a_report_says_why_samples_have_no_answer(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (project.folder / "sevens_app.py").write_text(
        "def answer(q):\n    if q == 'no':\n        raise KeyError('api_key=verysecretvalue')\n    return 7\n"
    )
    rows = [{"id": f"s{n}", "input": text, "reference": "x"} for n, text in enumerate(["yes", "no", "perhaps"])]
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.suite.write_text(
        "suite: broken\ndataset: samples.jsonl\ntarget: { function: sevens_app:answer }\n"
        "metrics: { exact: exact_match }\nlimits: { in_flight: 1 }\n"
    )
    with project.bench() as bench:
        report = bench.run(project.suite)
        shown = bench.report(report.run.id)
        messages = [row.result.message for row, _ in bench.ledger.done(report.run.id).values()]
    assert "no answer: target_raised 3, e.g. s0: TypeError: the function returned int; expected a text" in report.text
    assert shown.text == report.text
    (failed,) = report.as_json()["failures"]
    assert (failed["reason"], failed["count"], failed["example"]["sample_id"]) == ("target_raised", 3, "s0")
    assert failed["example"]["message"].startswith("TypeError: the function returned int")
    assert not any("During handling" in message or "event loop" in message for message in messages)


def test_a_report_of_a_dead_endpoint_says_so(project: Any, server: Any) -> None:
    server.answer = lambda body, headers: (503, json.dumps({"error": {"message": "warming up " * 40}}))
    with project.bench() as bench:
        (failed,) = bench.run(project.suite).as_json()["failures"]
    assert (failed["reason"], failed["count"]) == ("server_error", 20)
    assert failed["example"]["message"].startswith("HTTP 503 from http://127.0.0.1")
    assert len(failed["example"]["message"]) == 200
