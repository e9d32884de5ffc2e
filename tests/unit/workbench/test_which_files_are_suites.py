"""What can be run by its name is found in a folder, however it is written: nothing is passed over in silence."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from haetae.workbench.schedules.scheduled import scheduled_if_any
from haetae.workbench.suite_files import suite_files

WRITTEN = {
    "plain": "suite: bot\n",
    "quoted": '"suite": bot\n',
    "flow style": "{suite: bot, dataset: d.jsonl}\n",
    "JSON": '{\n  "dataset": "d.jsonl",\n  "suite": "bot"\n}\n',
    "after a mark of a document": "--- {suite: bot}\n",
    "indented": "  dataset: d.jsonl\n  suite: bot\n",
    "after 80 KB of comments": "# words\n" * 10_000 + "suite: bot\n",
    "an escape": '"su\\x69te": bot\n',
    "an explicit key": "? suite\n: bot\n",
    "after a mapping, a list and an alias": "a: &x {suite: no}\nb: [1, {c: 2}]\nd: *x\nsuite: bot\n",
    "with a byte order mark": "\ufeffsuite: bot\n",
    "broken further down": "suite: bot\nmetrics: {\n",
    "broken, indented": "metrics: {\n  suite: bot\n",
}
OTHERS = {
    "a model": "model: m\n",
    "a suite further in": "jobs:\n  suite: bot\n",
    "a list": "- suite: bot\n",
    "a value": "kind: suite\n",
    "a text": "the suite: is not here\n",
    "nothing": "",
    "of a later document": "a: 1\n---\nsuite: bot\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_suite_is_found_however_it_is_written(text: str, tmp_path: Path) -> None:
    (file := tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert [path for path, _ in suite_files([tmp_path])] == [file]


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_files_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert list(suite_files([tmp_path])) == []


def test_a_suffix_is_one_in_capitals_too(tmp_path: Path) -> None:
    (file := tmp_path / "UP.YAML").write_text("suite: bot\n")
    assert [path for path, _ in suite_files([tmp_path])] == [file]


def test_folders_behind_links_are_entered_once_also_where_they_lead_in_a_circle(tmp_path: Path) -> None:
    (place := tmp_path / "project").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "suite.yaml").write_text("suite: bot\n")
    (place / "linked").symlink_to(elsewhere)
    (place / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(place)
    ((path, named),) = suite_files([place])
    assert path.resolve() == elsewhere / "suite.yaml"
    assert not named


def test_a_folder_that_nobody_may_enter_is_named_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("suite: bot\n")
    (tmp_path / "locked").mkdir()
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed/b.yaml").write_text("suite: bot\n")
    entered, is_file = os.scandir, Path.is_file

    def scandir(path: str) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return entered(path)

    def asked(path: Path) -> bool:
        if path.parent.name == "listed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "is_file", asked)
    found = [path.relative_to(tmp_path).as_posix() for path, _ in suite_files([tmp_path])]
    assert found == ["a.yaml", "listed/b.yaml", "locked"]
    said = [str(problem.file) for problem in scheduled_if_any([tmp_path], {})[1]]
    assert any(file.endswith("locked") for file in said)
