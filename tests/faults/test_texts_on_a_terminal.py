"""What models, datasets and judges say is shown on a terminal as text: it moves no cursor and forges no line."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import pytest

from haetae.cli.main import main

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b31m\u202egnp.exe\u2066"
FORGED = "fine\n✓ PASS  against nothing\r\n::error::forged"
HARMFUL = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\r")


@pytest.fixture
def spoken(project: Any, server: Any, replies: Any) -> Any:
    """A project in which everybody sends escapes: the dataset, the model, the judge and the endpoint's errors."""
    rows = [
        {
            "id": f"s{n}",
            "input": f"q{n}",
            "reference": ESCAPES,
            "metadata": {"topic": f"t{n % 2}{ESCAPES}", "page": FORGED},
        }
        for n in range(6)
    ]
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.suite.write_text(project.suite.read_text() + "slices: [topic, page]\n")

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        said = body["messages"][-1]["content"]
        if body["model"] == "judge":
            return replies.completed(json.dumps({"reasoning": ESCAPES + FORGED, "score": 1}), model=f"judge{ESCAPES}")
        if said.endswith("q5"):
            return 400, json.dumps({"error": {"message": ESCAPES + FORGED}})
        return replies.completed(ESCAPES + FORGED, model=f"m{ESCAPES}")

    server.answer = answer
    return project


def _said(arguments: list[str], project: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> str:
    for name, value in project.settings.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys, "argv", ["haetae", *arguments])
    with pytest.raises(SystemExit):
        main()
    found = capsys.readouterr()
    said = found.out + found.err
    return said if isinstance(said, str) else said.decode()


def test_no_command_sends_an_escape_to_the_terminal(
    spoken: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:  # SEC-11, SEC-19
    commands = [
        ["check", "suite.yaml"],
        ["run", "suite.yaml", "--quiet"],
        ["promote", "bot.1"],
        ["run", "suite.yaml", "--quiet", "--fresh"],
        ["gate", "suite.yaml", "--quiet"],
        ["compare", "bot.2", "bot.1"],
        ["list", "runs"],
        ["show", "bot.1"],
        ["monitor"],
        ["metrics", "chrf"],
    ]
    seen = ""
    for command in commands:
        said = _said(command, spoken, monkeypatch, capsys)
        assert said.strip(), command
        assert [mark for mark in HARMFUL if mark in said] == [], command
        assert not [line for line in said.splitlines() if line.lstrip().startswith(("✓ PASS  against nothing", "::"))]
        seen += said
    assert "\\x1b[2J" in seen  # they did arrive, and are shown as what they are


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_is_escaped_on_a_terminal_and_whole_in_a_pipe(
    form: str, spoken: Any, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any
) -> None:
    with spoken.bench() as bench:
        bench.run(spoken.suite)

    command = ["export", "bot.1", "--format", form]
    piped = _said(command, spoken, monkeypatch, capsysbinary)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = _said(command, spoken, monkeypatch, capsysbinary)
    assert [mark for mark in HARMFUL if mark in shown] == []
    assert "\x9b" in piped
    assert "\\x9b" in shown
    if form == "csv":
        assert "\x1b[2J" in piped
        assert "\\x1b[2J" in shown
        assert len(list(csv.reader(io.StringIO(shown)))) == len(list(csv.reader(io.StringIO(piped)))) == 7


def test_json_for_scripts_holds_them_escaped_and_whole(
    spoken: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:  # SEC-11
    said = _said(["run", "suite.yaml", "--quiet", "--json"], spoken, monkeypatch, capsys)
    assert "\x1b" not in said
    assert ESCAPES in json.loads(said)["failures"][0]["example"]["message"]
