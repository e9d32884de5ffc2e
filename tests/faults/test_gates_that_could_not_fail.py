"""Numbers of a gate that its metric's scale makes meaningless are mistakes, said at their place before any call."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.errors import ConfigError


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("max_drop: 5", "max_drop: expected a share of the scale from 0 to below 1, got 5: nothing could fall so far"),
        ("max_drop: 1", "max_drop: expected a share of the scale from 0 to below 1, got 1"),
        ("min: -1", "min: expected a value of the metric's own scale, from 0 to 100, got -1"),
        ("min: 101", "min: expected a value of the metric's own scale, from 0 to 100, got 101"),
        ("max: 100.5", "max: expected a value of the metric's own scale, from 0 to 100, got 100.5"),
    ],
)
def test_a_tolerance_or_bound_off_the_scale_names_its_field(
    declared: str, said: str, project: Any, server: Any
) -> None:  # CFG-06
    project.suite.write_text(project.suite.read_text().replace("chrf: { max_drop: 0.05 }", f"chrf: {{ {declared} }}"))
    with project.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.run(project.suite)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("suite.yaml", 10, 14 + declared.index(" "))
    assert f"{problem.field}: {problem.message}".startswith(f"gate.metrics.chrf.{said}")
    assert server.bodies == []


def test_a_metric_without_an_upper_end_has_its_tolerance_in_its_own_unit(project: Any) -> None:
    text = project.suite.read_text().replace("  chrf: chrf\n", "  chrf: chrf\n  tokens: tokens\n", 1)
    project.suite.write_text(text.replace("chrf: { max_drop: 0.05 }", "tokens: { max_drop: 50, max: 900 }"))
    with project.bench() as bench:
        assert bench.check(project.suite).suite == "bot"
