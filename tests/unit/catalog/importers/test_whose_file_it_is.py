"""What stands in a file says whose it is; a file of no known tool is told which ones are known."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from haetae.catalog.lines import MAX_ROW
from haetae.catalog.scores.importers import document
from haetae.catalog.scores.source import UNDERSTOOD, scores_of
from haetae.errors import DatasetError, NoSamplesError

PLAIN = '{"id": "a", "metric": "m", "score": 1}\n'


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("other.json", '{"a": 1, "b": 2}', "a mapping of a, b"),
        ("other.json", "[1, 2]", "a list"),
        ("other.json", "{\n}", "a mapping of "),
        ("other.txt", "hello\n", "text 'hello"),
        ("other.csv", "name,value\nx,1\n", "text 'name,value"),
        ("other.jsonl", '{"a": 1}\n', "a mapping of a"),
    ],
)
def test_a_file_of_no_known_tool_is_told_which_are_known(name: str, text: str, held: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(DatasetError) as caught:
        scores_of(tmp_path / name)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / name}: holds {held}")
    assert told.endswith(UNDERSTOOD)


def test_plain_lines_are_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    for name in ("scores.jsonl", "scores.json", "scores"):
        (tmp_path / name).write_text("\n" + PLAIN, "utf-8")
        assert scores_of(tmp_path / name).metrics == ("m",)
    (tmp_path / "scores.jsonl.gz").write_bytes(gzip.compress(PLAIN.encode()))
    assert scores_of(tmp_path / "scores.jsonl.gz").ids == ("a",)


def test_a_document_may_be_one_line_longer_than_any_row(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = (files / "promptfoo/baseline.json").read_text("utf-8")
    path.write_text(results.replace('"evalId":', f'"note":"{"x" * MAX_ROW}","evalId":', 1), "utf-8")
    assert len(scores_of(path).ids) == 24


def test_a_broken_first_line_of_json_lines_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text('{"id": "a"\n' + PLAIN, "utf-8")
    with pytest.raises(DatasetError, match=r"scores\.jsonl:1: not JSON"):
        scores_of(path)


def test_a_broken_document_is_told_with_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{\n "results": [,\n', "utf-8")
    with pytest.raises(DatasetError, match=r"results\.json:2:\d+: not JSON"):
        scores_of(path)


def test_a_document_nested_without_end_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"a": NaN,\n "b": ' + "[" * 100_000, "utf-8")
    with pytest.raises(DatasetError, match=r"deep\.json:.*not JSON"):
        scores_of(path)


def test_a_document_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_DOCUMENT", 10)
    path = tmp_path / "results.json"
    path.write_text('{\n"results": {"results": []}}', "utf-8")
    with pytest.raises(DatasetError, match=r"results\.json: the document is over the limit of"):
        scores_of(path)


def test_a_column_is_of_promptfoo_only(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text("[]", "utf-8")
    with pytest.raises(DatasetError, match=r"scores\.json: #gpt names a provider of promptfoo's results"):
        scores_of(tmp_path / "scores.json#gpt")


def test_a_file_may_have_the_sign_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "run#1.jsonl").write_text(PLAIN, "utf-8")
    assert scores_of(tmp_path / "run#1.jsonl").ids == ("a",)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("none.jsonl", "cannot be read: .*No such file"),
        ("", "not a regular"),
        ("pipe", "not a regular"),
    ):
        with pytest.raises(DatasetError, match=why):
            scores_of(tmp_path / name)


def test_an_empty_file_holds_no_score(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(NoSamplesError, match="holds no score"):
        scores_of(tmp_path / "empty.jsonl")
