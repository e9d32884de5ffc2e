"""The pytest door: suites named `*.eval.yaml` are collected as tests, one per gated metric.

Opt in with `--haetae` or the ini line `haetae = true`. A suite runs once per session, also under
pytest-xdist. A regression fails its metric's test; inconclusive and no verdict skip, or fail with
`--haetae-strict`. This module imports nothing heavy: it is loaded by every pytest run that has the
package installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from haetae import Report

SUFFIX = ".eval.yaml"
_PROPERTY = "haetae"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flags and the ini line."""
    group = parser.getgroup("haetae", "evaluation suites")
    group.addoption("--haetae", action="store_true", help=f"collect {SUFFIX} suites as tests")
    group.addoption("--haetae-strict", action="store_true", help="inconclusive and no verdict fail")
    parser.addini("haetae", f"collect {SUFFIX} suites as tests", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Verdicts are gathered where the reports arrive: not in a worker of pytest-xdist."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Summary(), "haetae-summary")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A suite file, when this session collects them."""
    wanted = parent.config.getoption("--haetae") or parent.config.getini("haetae")
    if not wanted or not file_path.name.endswith(SUFFIX):
        return None
    suite: pytest.Collector = SuiteFile.from_parent(parent, path=file_path)
    return suite


class SuiteFile(pytest.File):
    """One suite; its items are the gated metrics."""

    def collect(self) -> Iterator[pytest.Item]:
        """Only the names are read here; the suite is checked and run by the first item."""
        import yaml

        try:
            document = yaml.safe_load(self.path.read_text(encoding="utf-8"))
            names = list(document["gate"]["metrics"])
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
            names = ["suite"]  # the run says what is wrong, with its line
        for name in names:
            yield MetricItem.from_parent(self, name=str(name))


class MetricItem(pytest.Item):
    """One gated metric of a suite: passes, fails or is skipped by its verdict."""

    def runtest(self) -> None:
        """Run the suite once for the session, and judge this metric."""
        report = _report(self.config, self.path)
        verdict, text = _verdict_of(report, self.name)
        told = {"suite": report["suite"], "run": report["run"], "metric": self.name, "verdict": verdict, "text": text}
        self.user_properties.append((_PROPERTY, json.dumps(told, ensure_ascii=False)))
        if verdict == "regression":
            raise _RegressionError(text)
        if verdict != "pass":
            if self.config.getoption("--haetae-strict"):
                raise _RegressionError(text)
            pytest.skip(text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line instead of a traceback for what the verdict or a wrong input says."""
        from haetae.errors import HaetaeError

        if isinstance(excinfo.value, _RegressionError | HaetaeError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """How the item is called in reports."""
        return self.path, None, f"{self.path.name}::{self.name}"


class _RegressionError(AssertionError):
    """A metric did not keep its gate."""


@pytest.fixture
def haetae_gate(request: pytest.FixtureRequest) -> Callable[[str | Path], Report]:
    """Run a suite by path and get its report: `assert haetae_gate("suite.yaml").verdict == "pass"`."""
    from haetae import Workbench

    def gate(suite: str | Path) -> Report:
        with Workbench() as bench:
            return bench.gate(request.config.rootpath / suite)

    return gate


def _report(config: pytest.Config, suite: Path) -> dict[str, Any]:
    """The suite's report as JSON, run once by whichever worker comes first."""
    from haetae import Workbench

    with _once(config, suite) as kept:
        if kept.exists():
            known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
            return known
        with Workbench() as bench:
            report: dict[str, Any] = bench.gate(suite).as_json()
        kept.write_text(json.dumps(report), encoding="utf-8")
        return report


@contextmanager
def _once(config: pytest.Config, suite: Path) -> Iterator[Path]:
    """Where this session keeps the suite's report, held by one process at a time."""
    import fcntl
    import hashlib
    import tempfile

    session = getattr(config, "workerinput", {}).get("testrunuid") or str(id(config))
    name = hashlib.sha256(f"{session}:{suite}".encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"haetae-pytest-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / f"{name}.json"


def _user() -> int:
    import os

    return os.getuid()


def _verdict_of(report: dict[str, Any], metric: str) -> tuple[str, str]:
    """The worst verdict over a metric's slices, and the sentence for it."""
    comparison = report["comparison"]
    found = [d for d in (comparison or {}).get("differences", []) if d["metric"] == metric]
    if not found:
        return "no verdict", comparison["reason"] if comparison else f"{report['run']} is {report['status']}"
    for verdict in ("regression", "inconclusive"):
        worst = [d for d in found if d["verdict"] == verdict]
        if worst:
            return verdict, f"{verdict}: {_sentence(worst[0])}"
    return "pass", _sentence(found[0])


def _sentence(difference: dict[str, Any]) -> str:
    where = f" in {difference['slice']}" if difference["slice"] else ""
    if difference["delta"] is None:
        return f"{difference['metric']}{where}: nothing to compare"
    interval = ""
    if difference["low"] is not None:
        interval = f" (95 % interval {difference['low']:+.4g} to {difference['high']:+.4g})"
    return f"{difference['metric']}{where} {difference['delta']:+.4g}{interval}, n = {difference['n']}"


class _Summary:
    """Collects the verdicts of all items and prints them at the end."""

    def __init__(self) -> None:
        self._told: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._told += [json.loads(str(text)) for name, text in report.user_properties if name == _PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._told:
            return
        terminalreporter.section("haetae")
        for told in sorted(self._told, key=lambda t: (t["suite"], t["metric"])):
            terminalreporter.write_line(f"{told['verdict']:12} {told['run']}  {told['text']}")
