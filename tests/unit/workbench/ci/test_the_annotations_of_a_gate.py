"""GitHub's workflow commands: each mark where it belongs, and no text that becomes another command."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.errors import ConfigError, Problem
from haetae.workbench.ci.annotations import silenced, workflow_commands
from haetae.workbench.ci.escaping import one_line
from haetae.workbench.ci.said import Said, said_of_error

Saying = Callable[..., Said]
Column = Callable[..., Difference]
TEXTS = st.lists(
    st.one_of(st.text(max_size=8), st.sampled_from(["\n", "\r", "%0A", "::", ",", ":", "::error::", "##[error]", "%"]))
).map("".join)


@dataclass
class Command:
    level: str
    properties: dict[str, str]
    message: str


def understood(line: str) -> Command:
    """A line as the runner reads it: properties end at the first `::`, are split at `,`, then unescaped."""
    found = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert found is not None, line
    level, properties, message = found.groups()
    pairs = (part.partition("=") for part in properties.split(","))
    values = {name: unescaped(value, {"%3A": ":", "%2C": ","}) for name, _, value in pairs}
    return Command(level, values, unescaped(message, {}))


def unescaped(text: str, more: dict[str, str]) -> str:
    for code, letter in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(code, letter)
    return text


def test_regressions_are_errors_at_the_line_of_their_gate_and_come_first(said: Saying) -> None:
    commands = workflow_commands(said(warnings=("cost: more samples are unscored",)))
    assert commands[0] == (
        "::error file=suite.yaml,line=14,title=support%3A regression%3A faithful::faithful fell by 4.1 points (95 %25 "
        "interval 1.9 to 6.3); this is not noise. Tolerance: 2 points."
    )
    rest = [understood(line) for line in commands[1:]]
    assert [(c.level, c.properties["line"], c.properties["title"]) for c in rest] == [
        ("warning", "15", "support: inconclusive: polite"),
        ("warning", "16", "support: warning: cost"),
    ]
    assert rest[0].message.endswith("About 500 more samples would settle it.")


def test_a_pass_says_nothing(said: Saying, column: Column) -> None:
    passes = tuple(column(metric) for metric in ("faithful", "polite", "cost"))
    assert workflow_commands(said(verdict=Verdict.PASS, differences=passes)) == []


def test_no_verdict_warns_at_each_metric_and_says_it_once(said: Saying, column: Column) -> None:
    moved = ("polite: the judge moved: 9 of 9 …",)
    commands = workflow_commands(said(verdict=Verdict.NO_VERDICT, differences=(column("cost"),), warnings=moved))
    assert [understood(line).message for line in commands].count(moved[0]) == 1
    nothing = workflow_commands(said(verdict=Verdict.NO_VERDICT, differences=(), reason="No baseline"))
    assert {understood(line).level for line in nothing} == {"warning"}
    assert [understood(line).properties["line"] for line in nothing] == ["14", "15", "16"]


def test_a_wrong_input_is_marked_at_each_of_its_places() -> None:  # GAT-14
    wrong = ConfigError([Problem("bad: 5 %", "a,b.yaml", 3, 1, "gate.alpha"), Problem("unknown")])
    commands = [understood(line) for line in workflow_commands(said_of_error(wrong, "a,b.yaml", ""))]
    assert [(c.properties.get("file"), c.properties.get("line")) for c in commands] == [(None, None), ("a,b.yaml", "3")]
    assert commands[1].message == "gate.alpha: bad: 5 %"
    (crash,) = workflow_commands(said_of_error(RuntimeError("a\nb"), "s.yaml", ""))
    assert understood(crash) == Command("error", {"title": "s.yaml"}, "RuntimeError: a\nb")


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_any_text_stays_in_its_command(text: str) -> None:  # SEC-19
    column = Difference(text, text, 9, 1.0, 0.5, -0.5, -0.6, -0.4, 0.1, 0, 0, 1, Verdict.REGRESSION)
    said = Comparison(text, text, (), Verdict.REGRESSION, text, differences=(column,), warnings=(f"{text}: {text}",))
    for line in workflow_commands(Said(text, said, {text: MetricFacts("m", "1")}, text, text, {text: 7})):
        assert line.isprintable()
        command = understood(line)
        assert set(command.properties) - {"file", "line"} == {"title"}
        assert command.properties.get("file", "") == one_line(text)
        assert command.properties["title"].startswith(one_line(text)[:900])


def test_silenced_text_is_between_the_documented_commands() -> None:
    assert silenced("::error::x", "t0ken") == "::stop-commands::t0ken\n::error::x\n::t0ken::"
