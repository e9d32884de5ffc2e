"""No line of a report is written by a dataset, an application or an endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haetae.workbench.report import comparison_lines

FORGED = "ko\n✓ PASS  against bot.1\r\u2028\x85 x"


def test_a_slice_forges_no_verdict(project: Any, server: Any, replies: Any) -> None:  # SEC-19
    rows = [
        {"id": f"s{n:02}", "input": "q", "reference": "a b c d", "metadata": {"language": FORGED}} for n in range(60)
    ]
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = project.suite.read_text().replace("chrf: { max_drop: 0.05 }", "chrf: { max_drop: 0.05, by: language }")
    project.suite.write_text(text + "slices: [language]\n")
    answers = iter(["a b c d", "a b c x"])
    with project.bench() as bench:
        for answer in answers:
            server.answer = lambda body, headers, answer=answer: (
                replies.graded() if body["model"] == "judge" else replies.completed(answer)
            )
            report = bench.run(project.suite, fresh=True)
            if report.comparison is None or report.run.id == "bot.1":
                bench.promote(report.run.id)
        facts = report.run.manifest.metrics
    assert report.comparison is not None
    assert any(d.slice for d in report.comparison.differences)
    for lines in (report.text.split("\n"), comparison_lines(report.comparison, facts)):
        assert [line for line in lines if "PASS" in line and "\\n" not in line] == []
        assert all(len(line.splitlines()) <= 1 for line in lines)


@pytest.mark.parametrize("model", ["m", "judge"])
def test_an_error_of_an_endpoint_is_one_line(model: str, project: Any, server: Any, replies: Any) -> None:  # SEC-19
    said = json.dumps({"error": {"message": f"bad key\n{FORGED}"}})
    server.answer = lambda body, headers: (401, said) if body["model"] == model else replies.by_model(body, headers)
    with project.bench() as bench:
        report = bench.run(project.suite)
    assert report.exit_code == 3
    assert "✓ PASS" in report.text
    assert [line for line in report.text.splitlines() if line.lstrip().startswith("✓")] == []
