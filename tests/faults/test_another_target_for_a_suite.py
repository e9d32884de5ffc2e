"""A suite run with another model or prompt than it names: what is asked, remembered, compared, and refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, RegistryError

PROGRAM = "import sys; sys.argv[0] = 'haetae'; from haetae.cli.main import main; main()"


def _haetae(project: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **project.settings.env}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=project.folder)


@pytest.fixture
def project(project: Any) -> Any:
    """The project, with a second version of its model and of its prompt."""
    folder = project.folder
    project.suite.write_text(project.suite.read_text().replace("model: llm,", "model: llm@production,"))
    (folder / "llm.yaml").write_text((folder / "llm.yaml").read_text().replace("temperature: 0", "temperature: 0.5"))
    (folder / "ask.md").write_text("please: q {{ input }}")
    with project.bench() as bench:
        bench.alias("model", "llm@1", "production")
        bench.register("model", folder / "llm.yaml")
        bench.alias("model", "llm@2", "후보")
        bench.register("prompt", folder / "ask.md")
    return project


def test_the_answers_are_those_of_the_other_target(project: Any, server: Any) -> None:
    with project.bench() as bench:
        report = bench.run(project.suite, model="llm@후보", prompt="ask@2")
    run = report.run
    assert set(server.asked("m")) == {f"please: q question {n}" for n in range(20)}
    assert {body["temperature"] for body in server.bodies if body["model"] == "m"} == {0.5}
    assert run.manifest.suite["target"]["model"] == "llm@후보"
    assert (run.manifest.references["llm@후보"], run.manifest.references["ask@2"]) == ("llm@2", "ask@2")
    assert (run.tags["target_model"], run.tags["target_prompt"]) == ("llm@후보", "ask@2")
    assert "target.model: llm@후보, instead of the suite's" in report.text
    assert report.as_json()["instead"] == {"model": "llm@후보", "prompt": "ask@2"}


def test_the_gate_says_that_model_and_prompt_moved(project: Any) -> None:
    with project.bench() as bench:
        bench.promote(bench.run(project.suite).run.id)
        prompt = bench.gate(project.suite, prompt="ask@2").comparison
        model = bench.gate(project.suite, model="llm@후보").comparison
    assert prompt is not None
    assert model is not None
    assert "prompt" in prompt.moved
    assert "target.prompt: ask@1 → ask@2" in prompt.changed
    assert prompt.verdict is not Verdict.NO_VERDICT
    assert model.moved == ("decoding",)
    assert model.verdict is not Verdict.NO_VERDICT  # whoever asks for another model asks for its decoding with it
    assert "target.model.parameters.temperature: 0 → 0.5" in model.changed


def test_a_suite_whose_own_model_decodes_otherwise_is_not_comparable(project: Any) -> None:
    with project.bench() as bench:
        bench.promote(bench.gate(project.suite).run.id)
        bench.alias("model", "llm@2", "production")
        said = bench.gate(project.suite).comparison
    assert said is not None
    assert said.verdict is Verdict.NO_VERDICT
    assert "decoding" in said.reason


def test_such_a_run_is_gone_on_with_as_it_was_started(project: Any, server: Any, replies: Any) -> None:
    before = len(server.bodies)

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        refused = len(server.bodies) > before + 10
        return (401, "{}") if refused else replies.by_model(body, headers)  # type: ignore[no-any-return]  # a pair

    server.answer = answer
    with project.bench() as bench:
        stopped = bench.run(project.suite, model="llm@후보", prompt="ask@2").run
    assert stopped.status is RunStatus.STOPPED
    server.answer = replies.by_model
    with project.bench() as bench, pytest.raises(ConfigError, match="this has changed since it started"):
        bench.run(project.suite, resume=stopped.id)
    said = _haetae(project, "resume", "--quiet", "--no-track")
    assert f"{stopped.id}  finished" in said.stdout, said.stderr
    assert set(server.asked("m")) == {f"please: q question {n}" for n in range(20)}


def test_a_run_of_the_suite_itself_is_another_run(project: Any, server: Any, replies: Any) -> None:
    server.answer = lambda body, headers: (401, "{}")
    with project.bench() as bench:
        stopped = bench.run(project.suite, prompt="ask@2").run
        server.answer = replies.by_model
        assert bench.run(project.suite).run.id != stopped.id
        assert bench.run(project.suite, prompt="ask@2").run.id == stopped.id


def test_the_watch_over_nights_leaves_it_out(project: Any) -> None:
    with project.bench() as bench:
        for _ in range(2):
            bench.run(project.suite, fresh=True)
        bench.run(project.suite, fresh=True, prompt="ask@2")
        assert bench.monitor(["bot"]).nights == {"bot": 2}


def test_only_a_model_can_be_replaced(project: Any) -> None:
    (project.folder / "outputs.jsonl").write_text('{"id": "s000", "output": "x"}\n')
    text = project.suite.read_text().replace(
        "{ model: llm@production, prompt: ask@production }", "{ outputs: outputs.jsonl }"
    )
    project.suite.write_text(text)
    with project.bench() as bench, pytest.raises(ConfigError) as refused:
        bench.check(project.suite, model="llm@후보")
    problem = refused.value.problems[0]
    assert (problem.line, problem.field) == (3, "target.outputs")
    assert "which has no model to replace; model llm@후보" in problem.message


def test_a_version_that_is_not_there_stops_before_the_first_call(project: Any, server: Any) -> None:
    with project.bench() as bench, pytest.raises((ConfigError, RegistryError), match="there is no model llm@9"):
        bench.run(project.suite, model="llm@9")
    assert server.bodies == []


def test_the_command_line_takes_both(project: Any) -> None:
    checked = _haetae(project, "check", "suite.yaml", "--model", "llm@후보", "--prompt", "ask@2")
    assert "llm@후보 = llm@2" in checked.stdout, checked.stderr
    ran = _haetae(project, "run", "suite.yaml", "--quiet", "--no-track", "--model", "llm@후보")
    assert "target.model: llm@후보, instead of the suite's" in ran.stdout, ran.stderr
    gated = _haetae(project, "gate", "suite.yaml", "--quiet", "--prompt", "ask@2", "--json")
    assert '"prompt": "ask@2"' in gated.stdout, gated.stderr
    lost = _haetae(project, "gate", "--model", "llm@2")
    assert (lost.returncode, "--model and --prompt go with a SUITE" in lost.stderr) == (2, True)
