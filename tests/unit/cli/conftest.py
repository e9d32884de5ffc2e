"""A project whose suite scores recorded outputs, and the command line called in this process."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from haetae.cli.main import main

SUITE = """\
suite: shop
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { chrf: chrf, right: exact_match }
slices: [language]
gate:
  metrics:
    right: { max_drop: 0.1 }
"""


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    folder: Path
    call: Callable[..., Said]

    @property
    def suite(self) -> Path:
        return self.folder / "suite.yaml"

    def write(self, right: int, samples: int = 60) -> None:
        """Samples, and outputs of which the first `right` are right."""
        rows = [
            {"id": f"s{n}", "input": f"q{n}", "reference": f"answer {n}", "metadata": {"language": "한국어"}}
            for n in range(samples)
        ]
        answers = [{"id": f"s{n}", "output": f"answer {n}" if n < right else "no idea"} for n in range(samples)]
        for name, lines in (("samples", rows), ("outputs", answers)):
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def haetae(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Said]]:
    """haetae("run", "suite.yaml"): exit code, standard output, standard error."""
    monkeypatch.setenv("HAETAE_HOME", str(tmp_path / "home"))
    for name in ("HAETAE_LEDGER", "HAETAE_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: Any) -> Said:
        monkeypatch.setattr(sys, "argv", ["haetae", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    with logging_as_it_was():
        yield call


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """A command may set logging up, as Prefect does: its handlers write to what pytest closes after the test."""
    before = {logger: list(logger.handlers) for logger in _loggers()}
    yield
    for logger in _loggers():
        logger.handlers[:] = before.get(logger, [])


def _loggers() -> list[logging.Logger]:
    named = (logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger))
    return [logging.getLogger(), *named]


@pytest.fixture
def shop(tmp_path: Path, haetae: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    made = Shop(folder, haetae)
    made.write(right=60)
    made.suite.write_text(SUITE)
    monkeypatch.chdir(folder)
    return made
