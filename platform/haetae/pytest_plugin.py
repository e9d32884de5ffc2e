"""The pytest door: suites named `*.eval.yaml` are collected as tests, one per gated metric.

Opt in with `--haetae` or the ini line `haetae = true`. A suite runs once in a session, whatever is
rerun and however many workers pytest-xdist has. A regression fails its metric's test; inconclusive
and no verdict skip it, or fail it with `--haetae-strict`. The fixture `haetae_gate` gives the report
of a suite to tests written in Python. Every pytest run that finds the package loads this module, so
it imports nothing but the standard library and pytest; the rest is imported when a suite is met.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from haetae import Report

_SUFFIX = ".eval.yaml"
_WHOLE = "suite"
"""The one test of a file that cannot be read: it fails with all that is wrong."""
_PROPERTIES = ("haetae.run", "haetae.metric", "haetae.verdict", "haetae.text")
_MARKS = {"pass": "✓", "regression": "✗", "inconclusive": "?", "no verdict": "–"}
_COLOURS = {"pass": "green", "regression": "red", "inconclusive": "yellow", "no verdict": "yellow"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flags and the ini line."""
    group = parser.getgroup("haetae", "evaluation suites")
    group.addoption("--haetae", action="store_true", help=f"collect *{_SUFFIX} suites as tests")
    group.addoption("--haetae-strict", action="store_true", help="inconclusive and no verdict fail")
    parser.addini("haetae", f"collect *{_SUFFIX} suites as tests", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Runs are shared among workers; verdicts are gathered where all reports arrive."""
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    config.stash[_RUNS] = _Runs(Path(worker["haetae"]) if worker else None)
    if worker is None:
        config.pluginmanager.register(_Summary(), "haetae-summary")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is told of the folder that all share; it goes when the session does."""
    config = node.config
    if _SHARED not in config.stash:
        shared = config.stash[_SHARED] = TemporaryDirectory(prefix="haetae-pytest-")
        config.add_cleanup(shared.cleanup)
    node.workerinput["haetae"] = config.stash[_SHARED].name


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A suite file, when this session collects them."""
    wanted = parent.config.getoption("--haetae") or parent.config.getini("haetae")
    if not wanted or not file_path.name.endswith(_SUFFIX):
        return None
    suite: pytest.Collector = SuiteFile.from_parent(parent, path=file_path)
    return suite


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip is shown at the gate's line in the suite file, not in this module."""
    report = yield
    if isinstance(item, MetricItem) and report.skipped:
        report.longrepr = (str(item.path), item.line, f"Skipped: {item.said}")
    return report


class SuiteFile(pytest.File):
    """One suite; its items are the gated metrics."""

    def collect(self) -> Iterator[pytest.Item]:
        """The file is read here and run by its first item, which also says what is wrong with it."""
        from haetae.errors import ConfigError
        from haetae.settings import load_settings
        from haetae.workbench.ci.places import gated_lines

        try:
            lines = gated_lines(self.path, load_settings().env)
        except ConfigError:
            lines = {}
        for name, line in (lines or {_WHOLE: 1}).items():
            yield MetricItem.from_parent(self, name=name, line=line)


class MetricItem(pytest.Item):
    """One gated metric of a suite: passes, fails or is skipped by its verdict. `line` counts from 1."""

    def __init__(self, *, line: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.line = line
        self.said = ""

    def runtest(self) -> None:
        """Judge this metric in the suite's one run."""
        from haetae.workbench.by_metric import judged

        report = self.config.stash[_RUNS].report(self.path)
        verdict, text = judged(report, self.name)
        _tell(self, report, self.name, verdict, text)
        self.said = f"{verdict}: {_inert(text)}"
        if verdict == "regression" or (verdict != "pass" and self.config.getoption("--haetae-strict")):
            raise _GateError(self.said)
        if verdict != "pass":
            pytest.skip(self.said)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a verdict or a wrong input says stands for itself, without a traceback."""
        if isinstance(excinfo.value, _GateError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the metric is gated, and how the test is called in reports."""
        return self.path, self.line - 1, f"{self.path.name}::{self.name}"


@pytest.fixture
def haetae_gate(request: pytest.FixtureRequest) -> Callable[[str | Path], Report]:
    """The report of a suite: `assert haetae_gate("suite.yaml").verdict == "pass"`.

    The path is relative to pytest's root folder. The suite runs once in a session, like collected ones.
    """

    def gate(suite: str | Path) -> Report:
        report = request.config.stash[_RUNS].report(request.config.rootpath / suite)
        said = report.comparison.reason if report.comparison else report.run.note or ""
        verdict = "no verdict" if report.verdict is None else report.verdict.value
        _tell(request.node, report, "", verdict, said)
        return report

    return gate


class _GateError(Exception):
    """A metric did not keep its gate, or the suite could not be run."""


class _Runs:
    """The suites of this session, each run by whichever process asks first.

    `shared` is the folder in which the workers of pytest-xdist leave what others need: the run's id,
    or why there is none. Without workers nothing is written.
    """

    def __init__(self, shared: Path | None) -> None:
        self._shared = shared
        self._known: dict[Path, Report | _GateError] = {}

    def report(self, suite: Path) -> Report:
        """The suite's report. Raises _GateError, each time it is asked, when the suite cannot be run."""
        suite = suite.resolve()
        if suite not in self._known:
            self._known[suite] = self._elsewhere(suite) if self._shared else _run(suite)
        known = self._known[suite]
        if isinstance(known, _GateError):
            raise known.with_traceback(None)
        return known

    def _elsewhere(self, suite: Path) -> Report | _GateError:
        """The report of the run that another worker made, or one made now while the others wait."""
        from haetae import Workbench

        assert self._shared is not None  # noqa: S101  # asked for only where workers share
        with _alone(self._shared / hashlib.sha256(bytes(suite)).hexdigest()) as left:
            if text := left.read_text(encoding="utf-8"):
                found = json.loads(text)
                if "error" in found:
                    return _GateError(found["error"])
                with Workbench() as bench:
                    return bench.report(found["run"])
            made = _run(suite)
            told = {"error": str(made)} if isinstance(made, _GateError) else {"run": made.run.id}
            left.write_text(json.dumps(told), encoding="utf-8")
            return made


_RUNS = pytest.StashKey[_Runs]()
_SHARED = pytest.StashKey["TemporaryDirectory[str]"]()


def _run(suite: Path) -> Report | _GateError:
    """Run a suite: its report, or what is wrong with it."""
    from haetae import HaetaeError, RunStatus, Workbench

    try:
        with Workbench() as bench:
            report = bench.gate(suite)
    except HaetaeError as exc:
        return _GateError(str(exc))
    if report.run.status is RunStatus.INTERRUPTED:  # the signal was meant for pytest as well
        raise KeyboardInterrupt(report.run.note)
    return report


@contextmanager
def _alone(file: Path) -> Iterator[Path]:
    """The file, made if it is missing and held by one process at a time."""
    import fcntl

    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield file


def _tell(item: pytest.Item, report: Report, metric: str, verdict: str, text: str) -> None:
    """Add the verdict to a test's properties: texts, which travel through xdist and into JUnit as they are."""
    told = list(zip(_PROPERTIES, (report.run.id, metric, str(verdict), _inert(text)), strict=True))
    if told[0] not in item.user_properties or told[1] not in item.user_properties:  # a rerun says nothing new
        item.user_properties.extend(told)


def _inert(text: str) -> str:
    """A text for a terminal: the values of slices come from data."""
    from haetae.workbench.ci.escaping import one_line

    return one_line(text)


class _Summary:
    """Gathers the verdicts of all tests and prints them at the end."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each test tells its properties in one order; one that is run again says the same again."""
        told = [str(value) for name, value in report.user_properties if name in _PROPERTIES]
        for start in range(0, len(told), len(_PROPERTIES)):
            run, metric, verdict, text = told[start : start + len(_PROPERTIES)]
            self._told[run, metric] = verdict, text

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """A line for each run, and one below it for each verdict on a metric."""
        if not self._told:
            return
        terminalreporter.section("haetae")
        wide = max(len(metric) for _, metric in self._told)
        for run, tests in groupby(sorted(self._told), key=itemgetter(0)):
            terminalreporter.write_line(run)
            for test in tests:
                verdict, text = self._told[test]
                line = f"  {_MARKS[verdict]} {verdict:<12}  {test[1]:<{wide}}  {text}"
                terminalreporter.write_line(line, **{_COLOURS[verdict]: True})
