"""A project with one suite whose three gated metrics have the three verdicts, and pytest run on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from haetae import Workbench, load_settings

SUITE = """\
suite: checkout
dataset: samples.jsonl
target:
  outputs: outputs.jsonl
metrics:
  helpful: { recorded: helpful, scale: [0, 1] }
  correct: { recorded: correct, scale: [0, 1] }
  polite: { recorded: polite, scale: [0, 1] }
gate:
  metrics:
    helpful: { max_drop: 0.1 }
    correct: { max_drop: 0.1 }
    polite: { max_drop: 0.05 }
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger lies in each test's own folder, whatever the surroundings say."""
    for name in ("HAETAE_HOME", "HAETAE_LEDGER", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def bench_at() -> Callable[[Path], Workbench]:
    """The workbench of a folder."""
    return lambda folder: Workbench(load_settings({}, folder))


@pytest.fixture
def shop(pytester: pytest.Pytester, bench_at: Callable[[Path], Workbench]) -> pytest.Pytester:
    """A promoted run, and answers since then: as helpful, much less correct, politeness of two minds."""
    names = [f"q{number}" for number in range(60)]
    before = {name: {"helpful": 0.8, "correct": 1.0, "polite": 0.5} for name in names}
    now = {
        name: {"helpful": 0.79, "correct": float(number % 3 > 0), "polite": 0.9 if number % 2 else 0.06}
        for number, name in enumerate(names)
    }
    _write(pytester.path / "samples.jsonl", [{"id": name, "input": f"question {name}"} for name in names])
    _write(pytester.path / "outputs.jsonl", [{"id": name, **scores} for name, scores in before.items()])
    (pytester.path / "checkout.eval.yaml").write_text(SUITE)
    with bench_at(pytester.path) as bench:
        bench.promote(bench.run(pytester.path / "checkout.eval.yaml").run.id)
    _write(pytester.path / "outputs.jsonl", [{"id": name, **scores} for name, scores in now.items()])
    return pytester


@pytest.fixture
def add_tests(pytester: pytest.Pytester) -> Callable[[str], None]:
    """Writes a test module."""

    def add(text: str) -> None:
        pytester.makepyfile(test_shop=dedent(text))

    return add


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
