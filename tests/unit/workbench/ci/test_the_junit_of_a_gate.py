"""JUnit: a case for each gated metric and slice, in the words that CI servers know."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from haetae.core.metric import MetricFacts
from haetae.core.run import RunStatus, Spent
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.errors import ConfigError, Problem
from haetae.workbench.ci.escaping import one_line
from haetae.workbench.ci.junit import junit
from haetae.workbench.ci.said import Said, said_of_error, said_of_report
from haetae.workbench.report import Report

Saying = Callable[..., Said]
EVERY_OUTCOME = """
import pytest
@pytest.fixture
def broken():
    raise ValueError("it broke")
def test_passes(record_property):
    record_property("name", "value")
    print("said")
def test_fails():
    assert False
def test_is_skipped():
    pytest.skip("not today")
def test_has_an_error(broken):
    pass
"""


def read(said: Said) -> dict[str, ElementTree.Element]:
    """The test cases by name."""
    return {case.get("name", ""): case for case in ElementTree.fromstring(junit(said)).iter("testcase")}  # noqa: S314


def told(case: ElementTree.Element) -> dict[str, str]:
    return {p.get("name", ""): p.get("value", "") for p in case.iter("property")}


def outcome(case: ElementTree.Element) -> str:
    return next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed")


def test_each_gated_metric_and_slice_is_a_case(said: Saying) -> None:
    found = read(said())
    assert {name: outcome(case) for name, case in found.items()} == {
        "faithful": "failure",
        "faithful [language=ko]": "failure",
        "faithful [language=en]": "passed",
        "polite": "skipped",
        "cost": "passed",
    }
    suite = ElementTree.fromstring(junit(said())).find("testsuite")  # noqa: S314
    assert suite is not None
    assert dict(suite.attrib) == {"name": "support", "tests": "5", "failures": "2", "errors": "0", "skipped": "1"}
    case = found["faithful [language=ko]"]
    assert (case.get("classname"), case.get("file"), case.get("line")) == ("haetae.support", "suite.yaml", "14")
    assert case.findtext("system-out") == (
        "faithful in language=ko fell by 4.1 points (95 % interval 1.9 to 6.3); this is not noise. Tolerance: 2 points."
    )


def test_the_numbers_read_back_as_they_are(said: Saying) -> None:
    properties = told(read(said())["faithful"])
    assert properties == {
        "haetae.run": "support.8",
        "haetae.metric": "faithful",
        "haetae.slice": "",
        "haetae.verdict": "regression",
        "haetae.baseline": "0.9",
        "haetae.candidate": "0.859",
        "haetae.delta": "-0.041",
        "haetae.ci_low": "-0.063",
        "haetae.ci_high": "-0.019",
        "haetae.margin": "0.02",
        "haetae.p_drop_adjusted": "0.0008",
        "haetae.n": "400",
    }


def test_no_verdict_is_an_error_and_a_slice_too_small_to_test_is_skipped(
    said: Saying, column: Callable[..., Difference]
) -> None:
    none = read(said(verdict=Verdict.NO_VERDICT, reason="No baseline 'production'", differences=()))
    assert {name: outcome(case) for name, case in none.items()} == dict.fromkeys(
        ("faithful", "polite", "cost"), "error"
    )
    error = none["cost"].find("error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("no verdict", "No baseline 'production'")
    small = column("cost", "topic=rare", Verdict.NO_VERDICT, n=3, note="not tested: 3 samples of the 20 needed")
    few = read(said(differences=(column("cost"), small), verdict=Verdict.PASS))
    assert (outcome(few["cost"]), outcome(few["cost [topic=rare]"])) == ("passed", "skipped")
    assert "3 samples of the 20 needed" in (few["cost [topic=rare]"].findtext("system-out") or "")


def test_what_withholds_a_pass_is_no_pass_of_any_metric(said: Saying, column: Callable[..., Difference]) -> None:
    passes = tuple(column(metric) for metric in ("faithful", "polite", "cost"))
    held = said(verdict=Verdict.INCONCLUSIVE, reason="The numbers would pass, but …", differences=passes)
    assert {outcome(case) for case in read(held).values()} == {"skipped"}


def test_a_judge_that_moved_is_named_where_its_metric_has_no_numbers(
    said: Saying, column: Callable[..., Difference]
) -> None:
    moved = said(warnings=("polite: the judge moved: 90 of 100 …",), differences=(column("faithful"), column("cost")))
    polite = read(moved)["polite"]
    assert (outcome(polite), polite.findtext("system-out")) == ("error", "polite: the judge moved: 90 of 100 …")


def test_a_run_that_did_not_finish_is_an_error_of_each_metric(a_run: Callable, manifest: Callable) -> None:  # GAT-14
    gated = manifest(suite={"suite": "bot", "gate": {"metrics": {"good": {"max_drop": 0.1}}}, "slices": []})
    run = a_run(gated, good=[1.0, 0.0], finish=RunStatus.STOPPED)
    said = said_of_report(Report(run, (), (), Spent()), "haetae gate s.yaml")
    assert {name: outcome(case) for name, case in read(said).items()} == {"good": "error"}
    assert "bot.1 is stopped" in junit(said)


def test_a_crash_is_one_error_with_its_words() -> None:  # GAT-14
    crashed = read(said_of_error(RuntimeError("lost\x00it\nall"), "s.yaml", "haetae gate s.yaml"))
    assert list(crashed) == ["gate"]
    error = crashed["gate"].find("error")
    assert error is not None
    assert error.get("message") == "RuntimeError: lost\\x00it\\nall"
    assert error.text == "RuntimeError: lost\\x00it\nall"
    wrong = said_of_error(ConfigError([Problem("bad", "s.yaml", 3, 1), Problem("worse", "s.yaml", 4, 1)]), "s.yaml", "")
    assert read(wrong)["gate"].findtext("error") == "s.yaml:3:1: bad\ns.yaml:4:1: worse"


def test_it_has_no_element_or_attribute_that_pytest_does_not_write_too(said: Saying, tmp_path: Path) -> None:
    (tmp_path / "test_every_outcome.py").write_text(EVERY_OUTCOME)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=junit.xml"]
    subprocess.run([*command, "-o", "junit_family=xunit1", "-o", "junit_logging=all"], cwd=tmp_path, check=False)
    oracle = etree.parse(tmp_path / "junit.xml")
    ours = etree.fromstring(junit(said()).encode())
    counts = {("testsuites", name) for name in ("tests", "failures", "errors")}  # as Surefire's schema has them
    assert shape(ours) <= shape(oracle.getroot()) | counts | {("failure", "type")}


def shape(root: etree._Element) -> set[tuple[str, str]]:
    """Each element below each parent, and each attribute of each element."""
    found = set()
    for element in root.iter():
        parent = element.getparent()
        found.add(("" if parent is None else str(parent.tag), f"<{element.tag}>"))
        found |= {(str(element.tag), str(name)) for name in element.attrib}
    return found


@settings(max_examples=60, deadline=None)
@given(text=st.text())
def test_any_text_is_read_back_as_one_line_by_any_parser(text: str) -> None:  # SEC-19
    said = hostile(text)
    for parsed in (ElementTree.fromstring(junit(said)), etree.fromstring(junit(said).encode())):  # noqa: S314
        assert parsed[0].get("name") == one_line(text)
        metrics = [p.get("value") for p in parsed.iter("property") if p.get("name") == "haetae.metric"]
        assert metrics == [one_line(text)] * 2
        assert parsed.find(".//error") is None


def hostile(text: str) -> Said:
    columns = tuple(
        Difference(text, key, 50, 1.0, 0.5, -0.5, -0.6, -0.4, 0.1, 0, 0, 1, Verdict.REGRESSION, note=text)
        for key in ("", text or "x")
    )
    said = Comparison(text, text, (text,), Verdict.REGRESSION, text, differences=columns)
    return Said(text, said, {text: MetricFacts("m", "1")}, text, text, {text: 3}, (text,), text)
