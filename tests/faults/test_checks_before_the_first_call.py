"""A suite, its data and its prompt are checked whole before the first call, and read only as often as needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haetae.catalog import dataset_file
from haetae.catalog.dataset_file import DatasetFile
from haetae.errors import ConfigError


def _ask(project: Any, template: str) -> None:
    """Another version of the prompt, which the suite asks by its alias."""
    (project.folder / "ask.md").write_text(template)
    with project.bench() as bench:
        version, _ = bench.register("prompt", project.folder / "ask.md")
        bench.alias("prompt", version.reference, "production")


@pytest.mark.parametrize("large", [False, True])
def test_a_variable_that_one_sample_lacks_is_named_before_any_call(
    large: bool, project: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # REG-05
    if large:
        monkeypatch.setattr(dataset_file, "LARGE", 0)
    _ask(project, "{{ input }} about {{ metadata.topic }}")
    rows = [{"id": f"s{n}", "input": "q", "reference": "a", "metadata": {"topic": "t"}} for n in range(20)]
    rows[13]["metadata"] = {"subject": "t"}
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with project.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.run(project.suite)
    said = str(caught.value)
    assert caught.value.exit_code == 2
    assert all(word in said for word in ("ask", "'topic'", "sample 's13'"))
    assert server.bodies == []


def test_a_large_file_whose_prompt_cannot_fail_is_read_once_before_the_calls_and_once_for_them(
    project: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # DAT-08
    read: list[int] = []
    samples_of = DatasetFile.__iter__
    monkeypatch.setattr(DatasetFile, "__iter__", lambda self: read.append(len(server.bodies)) or samples_of(self))
    monkeypatch.setattr(dataset_file, "LARGE", 0)
    with project.bench() as bench:
        report = bench.run(project.suite)
    assert read == [0]
    assert len(server.asked("m")) == report.run.total == 20
