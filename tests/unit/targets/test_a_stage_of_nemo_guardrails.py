"""Rails of NeMo Guardrails 0.24 as a stage: they run without a model, a key or a network."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.core.guard import Check
from haetae.errors import ConfigError

pytest.importorskip("nemoguardrails")

CONFIG = """\
models: []
rails:
  input:
    flows:
      - regex check input
      - count letters
  config:
    regex_detection:
      input:
        patterns: ["폭탄", "\\\\bbomb\\\\b"]
"""
FLOW = """\
define bot refuse to respond
  "no"

define subflow count letters
  $long = execute is_long(text=$user_message)
  if $long
    bot refuse to respond
    stop
"""
ACTIONS = """\
from nemoguardrails.actions import action

@action(name="is_long")
async def is_long(text: str) -> bool:
    if text == "raise":
        raise RuntimeError("the classifier did not load")
    return len(text) > 200
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rails"
    made.mkdir()
    for name, text in (("config.yml", CONFIG), ("rails.co", FLOW), ("actions.py", ACTIONS)):
        (made / name).write_text(text, "utf-8")
    return made


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A stage over a folder, on a machine that reaches nobody."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"something was called: {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    from haetae.targets.guards.nemo import NemoStage

    def make(folder: Path, **options: Any) -> Any:
        return NemoStage(folder, **{"cost_usd": 0.0, "timeout_s": 30.0, **options})

    return make


@pytest.mark.parametrize(
    ("text", "flagged"),
    [("hello", None), ("폭탄을 만드는 법", True), ("a bomb", True), ("bombast", None), ("가" * 201, True)],
)
def test_what_the_rails_block_is_stopped_and_all_else_left(
    text: str, flagged: bool | None, folder: Path, stage: Callable[..., Any]
) -> None:
    assert asyncio.run(stage(folder).check(text)) == Check(flagged, cost_usd=0.0)


def test_the_rails_are_made_inside_a_running_loop_as_a_run_makes_them(folder: Path, stage: Callable[..., Any]) -> None:
    async def work() -> list[Any]:
        rails = stage(folder)
        return list(await asyncio.gather(*(rails.check(text) for text in ["a bomb", "hello"] * 10)))

    assert [found.flagged for found in asyncio.run(work())] == [True, None] * 10


def test_a_text_whose_action_raises_is_blocked_by_the_library(folder: Path, stage: Callable[..., Any]) -> None:
    assert asyncio.run(stage(folder).check("raise")).flagged is True


def test_rails_that_never_end_fail_the_text(folder: Path, stage: Callable[..., Any]) -> None:
    slow = ACTIONS.replace(
        'if text == "raise":', 'if text == "slow":\n        await asyncio.Event().wait()\n    if False:'
    )
    (folder / "actions.py").write_text("import asyncio\n" + slow, "utf-8")
    found = asyncio.run(stage(folder, timeout_s=0.2).check("slow"))
    assert found == Failure(reasons.TIMEOUT, "the rails did not answer in 0.2 s")


def test_models_outside_the_budget_are_refused(folder: Path, stage: Callable[..., Any]) -> None:
    text = CONFIG.replace("models: []", "models:\n  - { type: main, engine: openai, model: m }")
    (folder / "config.yml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"configures models \(main\); ask a model in a judge stage"):
        stage(folder)


def test_a_folder_without_input_rails_or_without_sense_is_refused(folder: Path, stage: Callable[..., Any]) -> None:
    (folder / "config.yml").write_text("models: []\n", "utf-8")
    with pytest.raises(ConfigError, match="has no input rails"):
        stage(folder)
    (folder / "config.yml").write_text("rails: [1\n", "utf-8")
    with pytest.raises(ConfigError, match="rails is not a configuration of NeMo Guardrails"):
        stage(folder)


def test_every_file_of_the_folder_is_in_the_fingerprint(folder: Path, stage: Callable[..., Any]) -> None:
    before = stage(folder).fingerprint
    assert before == stage(folder).fingerprint
    (folder / "rails.co").write_text(FLOW + "\n# remark\n", "utf-8")
    assert stage(folder).fingerprint != before


def test_the_librarys_telemetry_is_declined(stage: Callable[..., Any]) -> None:
    assert os.environ["NEMO_GUARDRAILS_NO_USAGE_STATS"] == "1"


def test_code_outside_the_folder_is_refused_before_it_runs(
    folder: Path, tmp_path: Path, stage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "actions.py").write_text(ran)
    inside, actions = (folder / "actions.py").read_text(), folder / "actions.py"
    actions.unlink()
    actions.symlink_to(outside / "actions.py")
    with pytest.raises(ConfigError, match=r"actions.py leads to .*outside"):
        stage(folder)
    actions.unlink()
    (folder / "actions").symlink_to(outside)
    with pytest.raises(ConfigError, match=r"actions leads to .*outside"):
        stage(folder)
    (folder / "actions").unlink()
    actions.write_text(inside)
    (folder / "config.yml").write_text(f"import_paths: [{outside}]\n{CONFIG}", "utf-8")
    with pytest.raises(ConfigError, match=r"imports .*outside"):
        stage(folder)
    (folder / "config.yml").write_text(CONFIG, "utf-8")
    monkeypatch.chdir(outside)
    with pytest.raises(ConfigError, match=r"would run .*outside.actions.py too"):
        stage(folder)
    assert not (outside / "ran").exists()
    monkeypatch.chdir(tmp_path)
    assert stage(folder).fingerprint["kind"] == "nemo"


def test_documents_that_would_fetch_a_model_are_refused(folder: Path, stage: Callable[..., Any]) -> None:
    (folder / "kb").mkdir()
    (folder / "kb" / "facts.md").write_text("# A fact\n")
    with pytest.raises(ConfigError, match=r"has documents \(kb/\)"):
        stage(folder)
    (folder / "kb" / "facts.md").unlink()
    (folder / "config.yml").write_text(f"docs: [{{ format: md, content: x }}]\n{CONFIG}", "utf-8")
    with pytest.raises(ConfigError, match="has documents"):
        stage(folder)


def test_what_an_action_raises_is_not_written_to_the_terminal(
    folder: Path, stage: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    kept: list[str] = []
    logging.getLogger().addHandler(handler := Kept())
    try:
        assert asyncio.run(stage(folder).check("raise")) == Check(True, cost_usd=0.0)
    finally:
        logging.getLogger().removeHandler(handler)
    said = capfd.readouterr()
    assert (said.out, said.err, [text for text in kept if "did not load" in text]) == ("", "", [])
