"""Regular expressions, JSON schemas and numbers in a suite file: a wrong one stops the run at its field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haetae.errors import ConfigError

SUITE = """\
suite: form
dataset: samples.jsonl
target: {{ outputs: outputs.jsonl }}
metrics:
  checked: {line}
"""
ORDER = {"type": "object", "properties": {"수량": {"type": "integer"}}, "required": ["수량"]}
OUTPUTS = ['{"수량": 2}', '{"수량": "둘"}', "두 개"]


def _suite(project: Any, line: str) -> None:
    project.suite.write_text(SUITE.format(line=line), encoding="utf-8")
    rows = [{"id": f"s{n}", "input": "q", "reference": '{"수량": 2}'} for n in range(3)]
    outputs = [{"id": f"s{n}", "output": output} for n, output in enumerate(OUTPUTS)]
    for name, content in (("samples", rows), ("outputs", outputs)):
        (project.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    (project.folder / "order.schema.json").write_text(json.dumps(ORDER))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("json_schema/order.schema.json", 1 / 3),
        ("{ json_schema: order.schema.json }", 1 / 3),
        ("{ json_schema: { type: object } }", 2 / 3),
        ("json_valid", 2 / 3),
        ("json_match", 1 / 3),
        ("json_match/fields", 1 / 3),
        ('{ regex: "[0-9]" }', 1 / 3),
        ('{ contains: ["2", 둘], match: any }', 2 / 3),
        ("{ not_contains: 개 }", 2 / 3),
        ("{ length: characters, max: 5 }", 1 / 3),
    ],
)
def test_a_check_of_form_is_one_line_of_a_suite(line: str, value: float, project: Any) -> None:
    _suite(project, line)
    with project.bench() as bench:
        (found,) = bench.run(project.suite).estimates
    assert (found.value, found.n) == (pytest.approx(value), 3)


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ("{ regex: '(?=a)b' }", "metrics.checked.regex", "no look-around"),  # SEC-09
        (
            "{ json_schema: { $ref: 'http://127.0.0.1:9/s.json' } }",
            "metrics.checked.json_schema.$ref",
            "not fetched",
        ),  # SEC-10
        ("{ json_schema: { pattern: '(a)\\1' } }", "metrics.checked.json_schema.pattern", "no back-reference"),
        ("{ json_schema: gone.json }", "metrics.checked.json_schema", "gone.json"),
        ("{ json_schema: ../../order.schema.json }", "metrics.checked.json_schema", "order.schema.json"),
        ("{ json_schema: 3 }", "metrics.checked.json_schema", "expected the name of a file"),
        ("{ numeric: only, absolute: -1 }", "metrics.checked.absolute", "0 or more"),
        ("{ contains: [] }", "metrics.checked.contains", "none of them blank"),
    ],
)
def test_a_wrong_check_stops_the_run_before_its_first_call(line: str, field: str, why: str, project: Any) -> None:
    _suite(project, line)
    with project.bench() as bench, pytest.raises(ConfigError, match=why) as caught:
        bench.run(project.suite)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.line == 5
