"""Ctrl-C, SIGTERM and a reader that goes away: what was finished is kept, and no exit code says "regression"."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

PROGRAM = "import sys; sys.argv[0] = 'haetae'; from haetae.cli.main import main; main()"


def _started(project: Any, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, **project.settings.env}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_run_whose_calls_hang(
    number: signal.Signals, times: int, project: Any, server: Any, replies: Any
) -> None:  # END-18
    project.suite.write_text(project.suite.read_text().replace("timeout_s: 5", "timeout_s: 600"))
    hang, told = threading.Event(), threading.Event()
    quick = {f"q question {n}" for n in range(4)}

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        if body["model"] == "m" and body["messages"][-1]["content"] not in quick:
            hang.wait()
        return replies.by_model(body, headers)  # type: ignore[no-any-return]  # a pair

    def noticed(count: int) -> None:
        if len(server.asked("m")) == 20:  # four are answered and kept, and 16 hang
            told.set()

    server.answer, server.noticed = answer, noticed
    process = _started(project, "run", str(project.suite), "--quiet", "--no-track")
    assert told.wait(60)
    for _ in range(times):
        process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    hang.set()
    assert process.returncode == 3, said
    assert "bot.1  interrupted" in said
    assert "haetae resume bot.1" in said
    with project.bench() as bench:
        assert len(bench.ledger.done("bot.1")) == 4
        server.noticed = lambda count: None
        server.answer = replies.by_model
        report = bench.run(project.suite)
        assert report.run.id == "bot.1"
        assert report.run.status.value == "finished"


def test_a_reader_that_goes_away_is_no_regression(project: Any, server: Any) -> None:
    process = _started(project, "run", str(project.suite), "--no-track")
    assert process.stdout is not None
    process.stdout.close()  # what `| head -0` does
    assert process.wait(timeout=60) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_how_the_dashboard_ends(number: signal.Signals, project: Any) -> None:
    process = _started(project, "dashboard", "--port", "0")
    assert process.stdout is not None
    assert any("http://127.0.0.1:" in line for line in process.stdout)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said


@pytest.mark.parametrize("where", ["face.parts:Parts._assemble", "reporting:Reporting.conclude"])
def test_sigterm_before_the_first_call_or_after_the_last_ends_with_the_same_words(
    where: str, project: Any, server: Any
) -> None:
    module, _, name = where.partition(":")
    told = f"import os, haetae.workbench.{module} as m; m.{name} = lambda *_, **__: os.kill(os.getpid(), 15)"
    env = {**os.environ, **project.settings.env}
    command = [sys.executable, "-c", f"{told}; {PROGRAM}", "run", str(project.suite), "--quiet", "--no-track"]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert said.returncode == 3
    assert said.stderr.strip() == "interrupted; what was finished is kept, the same command goes on"
    again = _started(project, "run", str(project.suite), "--quiet", "--no-track")
    output, _ = again.communicate(timeout=60)
    assert "bot.1  finished" in output


def test_ctrl_c_while_the_command_is_imported_ends_with_the_same_words() -> None:
    class_ = "class Late:\n def find_spec(self, name, *_):\n  if name == 'click': raise KeyboardInterrupt\n"
    program = f"import sys\n{class_}sys.meta_path.insert(0, Late())\nfrom haetae.cli.main import main"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said.returncode == 3
    assert said.stderr == "interrupted; what was finished is kept, the same command goes on\n"
