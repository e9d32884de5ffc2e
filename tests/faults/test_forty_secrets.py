"""Forty secrets, put wherever a run may meet one, and looked for in everything that it leaves behind."""

from __future__ import annotations

import io
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

SENT = {f"SECRET_{n}": f'canary{n:02}/"+{"x" * n}z' for n in range(20)}
"""Twenty that go to the endpoint as key, organization and headers, made to be escaped on their way back."""

_NAMES = [f"{n}-canary-abcdefghijkl" for n in range(20, 40)]
SHAPED = [
    shape.format(name)
    for shape, name in zip(
        [
            "Bearer {}",
            "sk-{}",
            "sk-proj-{}",
            "ghp_{}",
            "glpat-{}",
            "hf_{}",
            "AKIA{}",
            "AIza{}",
            "xoxb-{}",
            "npm_{}",
            "https://host/v1?key={}",
            "https://host/v1?a=1#access_token={}",
            "https://user:{}@host/v1",
            "postgresql://me:{}@db/x",
            "OPENAI_API_KEY={}",
            "password: {}",
            '{{"clientSecret": "{}"}}',
            "Authorization: Token {}",
            "eyJhbGciOiJI{0}.eyJzdWIi{0}.{0}",
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        ],
        _NAMES,
        strict=True,
    )
]
"""Twenty that nobody declared, told by their shape, as an error or an application would show them."""


def _leaks(left: str) -> list[str]:
    spellings = [
        form for text in SENT.values() for form in (text, json.dumps(text)[1:-1], quote(text), quote(text, safe=""))
    ]
    return [secret for secret in [*spellings, *_NAMES] if secret in left]


def _left_behind(project: Any, run_id: str, caplog: pytest.LogCaptureFixture) -> str:
    """The ledger's bytes, every export, the report in words and as JSON, what a tracker is told, and the log."""
    kept = b"".join(file.read_bytes() for file in project.settings.home.rglob("*") if file.is_file())
    out = io.StringIO()
    with project.bench() as bench:
        for form in ("jsonl", "csv"):
            bench.export(run_id, form, out)
        report = bench.report(run_id)
        told = repr(bench._record(run_id))
    return kept.decode("latin-1") + out.getvalue() + report.text + json.dumps(report.as_json()) + told + caplog.text


def test_nothing_that_is_sent_to_an_endpoint_comes_back_into_what_is_kept(
    project: Any, server: Any, replies: Any, caplog: pytest.LogCaptureFixture
) -> None:  # SEC-07
    caplog.set_level(logging.DEBUG)
    project.settings.env.update(SENT)
    headers = {f"X-Canary-{n}": f"${{SECRET_{n}}}" for n in range(18)}
    for name, model in (("llm", "m"), ("grader", "judge")):
        spec = {
            "base_url": "${MODEL_URL}",
            "model": model,
            "api_key": "${SECRET_18}",
            "organization": "${SECRET_19}",
            "headers": headers,
        }
        (project.folder / f"{name}.yaml").write_text(json.dumps(spec))
        with project.bench() as bench:
            bench.register("model", project.folder / f"{name}.yaml")

    def echo(body: dict[str, Any], given: dict[str, str]) -> tuple[int, str]:
        every = "\n".join(given.values())
        said = [every, quote(every), quote(every, safe=""), json.dumps(every)][len(server.bodies) % 4]
        if body["model"] == "judge":
            return replies.completed(json.dumps({"reasoning": said, "score": 1}), model=said)
        if len(server.bodies) % 3 == 0:
            return [400, 404, 500][len(server.bodies) % 9 // 3], json.dumps({"error": {"message": said, "code": said}})
        if len(server.bodies) % 3 == 1:
            return 200, f"<html>{said}</html>"
        return replies.completed(said, model=said, id=said)

    server.answer = echo
    with project.bench() as bench:
        report = bench.run(project.suite)
    left = _left_behind(project, report.run.id, caplog)
    assert _leaks(left) == []
    assert "***" in left
    assert any(SENT["SECRET_3"] in str(h) for h in server.headers)


@pytest.mark.parametrize("half", [0, 1])
def test_no_error_of_an_application_or_an_endpoint_is_kept_with_what_looks_like_a_secret(
    half: int, project: Any, server: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-07, SEC-08
    caplog.set_level(logging.DEBUG)
    if half:
        server.answer = lambda body, headers: (
            500,
            json.dumps({"error": {"message": SHAPED[int(body["messages"][-1]["content"].split()[-1]) % 20]}}),
        )
    else:
        monkeypatch.setattr("sys.path", list(__import__("sys").path))
        shapes = json.dumps(SHAPED)
        (project.folder / "forty_app.py").write_text(
            f"SHAPES = {shapes}\n\ndef answer(q):\n    raise RuntimeError(SHAPES[int(q.split()[-1])])\n"
        )
        text = project.suite.read_text()
        text = text.replace("{ model: llm, prompt: ask@production }", "{ function: forty_app:answer }")
        project.suite.write_text(text)
    with project.bench() as bench:
        report = bench.run(project.suite)
        failed = [found.result.message for found, _ in bench.ledger.done(report.run.id).values()]
    assert len(failed) == 20
    assert all("***" in message for message in failed)
    assert _leaks(_left_behind(project, report.run.id, caplog)) == []


def test_what_variables_of_secret_names_hold_is_not_kept_whatever_it_looks_like_and_wherever_it_is_shown(
    project: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-07
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    held = {name: f"canary of {name} 20" for name in ("LAB_API_KEY", "DB_PASSWORD", "INDEX_TOKEN")}
    project.settings.env.update(held, APP_KEY_FILE="/srv/keys/app")
    (project.folder / "shapeless_app.py").write_text(
        "import haetae\n"
        f"HELD = {list(held.values())}\n\n"
        "def answer(q):\n"
        "    n = int(q.split()[-1])\n"
        "    if n % 3 == 0:\n"
        "        raise RuntimeError('bad credentials ' + HELD[0] + ' in /srv/keys/app')\n"
        "    if n % 3 == 1:\n"
        "        return haetae.Failure('target_raised', 'no connection as ' + HELD[1])\n"
        "    return q\n\n"
        "@haetae.metric\n"
        "def looked_up(output: str) -> float:\n"
        "    raise RuntimeError('no index for ' + HELD[2])\n"
    )
    text = project.suite.read_text()
    text = text.replace("{ model: llm, prompt: ask@production }", "{ function: shapeless_app:answer }")
    more = '  looked_up: { function: shapeless_app:looked_up }\n  shows: { contains: ["${INDEX_TOKEN}"] }\n'
    project.suite.write_text(text.replace("\nmetrics:\n", f"\nmetrics:\n{more}", 1))
    with project.bench() as bench:
        report = bench.run(project.suite)
        bench.sync()
    left = _left_behind(project, report.run.id, caplog)
    assert [value for value in held.values() if value in left] == []
    assert "bad credentials *** in /srv/keys/app" in left
    assert "no connection as ***" in left
    assert "no index for ***" in left
