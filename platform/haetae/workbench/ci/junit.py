"""A gate's verdict as JUnit XML, which every CI server reads."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from haetae.core.verdict import Difference, Verdict
from haetae.workbench.ci.escaping import one_line
from haetae.workbench.ci.said import Case, Said, cases

_NUMBERS = ("baseline", "candidate", "delta", "ci_low", "ci_high", "margin", "p_drop_adjusted", "n")


def junit(said: Said) -> str:
    """The document: a test case for each gated metric, and for each of its gated slices.

    A regression is a failure. Inconclusive is skipped: nothing is proven, and the command exits 0. No
    verdict is an error, as the command's exit code 3 is, also where the gate crashed; but a slice that is
    too small to be tested is skipped, and so is a gate that was not meant to start. The properties
    `haetae.*` carry verdict and numbers, in the metric's own units.
    """
    found = list(cases(said))
    outcomes = ["skipped" if said.skipped else _outcome(case) for case in found]
    counts = {"tests": len(found), "failures": outcomes.count("failure"), "errors": outcomes.count("error")}
    totals = {name: str(count) for name, count in counts.items()}
    document = Xml.Element("testsuites", {"name": "haetae", **totals})
    skipped = str(outcomes.count("skipped"))
    suite = Xml.SubElement(document, "testsuite", {"name": one_line(said.title), **totals, "skipped": skipped})
    for case, outcome in zip(found, outcomes, strict=True):
        _add(suite, said, case, outcome)
    Xml.indent(document)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{Xml.tostring(document, "unicode")}\n'


def _outcome(case: Case) -> str:
    """The element that tells it, "" for a pass."""
    if case.verdict is Verdict.NO_VERDICT:
        return "skipped" if case.slice else "error"
    return {Verdict.REGRESSION: "failure", Verdict.INCONCLUSIVE: "skipped"}.get(case.verdict, "")


def _add(suite: Xml.Element, said: Said, case: Case, outcome: str) -> None:
    place = {"file": one_line(said.file), "line": str(said.lines.get(case.metric, 1))} if said.file else {}
    names = {"classname": one_line(f"haetae.{said.title}"), "name": one_line(case.name)}
    element = Xml.SubElement(suite, "testcase", {**names, **place})
    properties = Xml.SubElement(element, "properties")
    told = {"run": said.comparison.candidate, "metric": case.metric, "slice": case.slice, "verdict": case.verdict.value}
    for name, value in {**told, **_numbers(case.difference)}.items():
        Xml.SubElement(properties, "property", {"name": f"haetae.{name}", "value": one_line(value)})
    text = "\n".join(map(one_line, case.text.split("\n")))
    if outcome:
        kind = {"type": case.verdict.value, "message": one_line(case.text)}
        Xml.SubElement(element, outcome, kind).text = text
    Xml.SubElement(element, "system-out").text = text


def _numbers(d: Difference | None) -> dict[str, str]:
    """What there is of a column's numbers, so that they read back as they are."""
    if d is None:
        return {}
    values = (d.baseline, d.candidate, d.delta, d.low, d.high, d.margin, d.p_drop_adjusted, d.n)
    return {name: repr(value) for name, value in zip(_NUMBERS, values, strict=True) if value is not None}
