"""Plain score files: what is read, how every mistake names its line, and that both ways of reading agree."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.catalog.lines import MAX_ROW
from haetae.catalog.scores.gathering import collect
from haetae.catalog.scores.line import row_of
from haetae.catalog.scores.plain import read_scores
from haetae.core.score_columns import ScoreColumns
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, NoSamplesError

Read = Callable[..., ScoreColumns]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_these(*lines: str | dict[str, Any]) -> ScoreColumns:
        path = tmp_path / "a.jsonl"
        text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("\n".join(text), encoding="utf-8")
        return read_scores(path, "a.jsonl")

    return read_these


def rows_of(columns: ScoreColumns) -> list[ToolScore]:
    """The columns turned back into rows."""
    return [
        ToolScore(
            columns.ids[columns.id_codes[i]],
            columns.metrics[columns.metric_codes[i]],
            None if np.isnan(columns.scores[i]) else float(columns.scores[i]),
            sample=int(columns.repeats[i]),
            cluster=columns.clusters[columns.cluster_codes[i]],
            tags=columns.tags[columns.tag_codes[i]],
            reason=columns.reasons[columns.reason_codes[i]],
            line=int(columns.lines[i]),
        )
        for i in range(len(columns.scores))
    ]


def test_a_line_names_its_sample_metric_and_score(read: Read) -> None:
    found = read(
        '{"id": "q1", "metric": "right", "score": 1}',
        '{"id": "q2", "metric": "right", "score": null}',
        '{"id": "q1", "metric": "정확도", "score": 0.25}',
    )
    assert rows_of(found) == [
        ToolScore("q1", "right", 1.0, line=1),
        ToolScore("q2", "right", None, line=2),
        ToolScore("q1", "정확도", 0.25, line=3),
    ]


def test_a_line_may_say_repeat_cluster_tags_and_reason(read: Read) -> None:
    full = {"id": 7, "metric": "right", "score": None, "sample": 3, "cluster": "doc3", "tags": {"lang": "ko"}}
    found = read({**full, "reason": "timeout"}, {**full, "id": "8", "tags": None, "cluster": 0, "sample": None})
    assert rows_of(found) == [
        ToolScore("7", "right", None, 3, "doc3", {"lang": "ko"}, "timeout", 1),
        ToolScore("8", "right", None, 0, "0", {}, "", 2),
    ]


def test_blank_lines_a_mark_windows_ends_and_gzip_change_nothing(tmp_path: Path, read: Read) -> None:
    lines = ['{"id": "q1", "metric": "m", "score": 1}', '{"id": "q2", "metric": "m", "score": 0.5}']
    plain = [(row.id, row.score) for row in rows_of(read(*lines))]
    texts = {"mark": "\ufeff" + "\n".join(lines), "blank": "\n\n".join(lines) + "\n\n", "windows": "\r\n".join(lines)}
    for name, text in texts.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(text.encode())
        assert [(row.id, row.score) for row in rows_of(read_scores(path, name))] == plain
        packed = tmp_path / f"{name}.jsonl.gz"
        packed.write_bytes(gzip.compress(text.encode()))
        assert [(row.id, row.score) for row in rows_of(read_scores(packed, name))] == plain


def test_many_rows_read_at_once_are_what_each_line_says_by_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    lines = []
    for n in range(30_000):  # several blocks; every shape of row
        row: dict[str, Any] = {"id": f"질문-{n // 3}", "metric": f"m{n % 3}", "score": round(float(rng.random()), 4)}
        if n % 10 == 0:
            row |= {"score": None, "reason": "timeout"}
        if n % 2:
            row["tags"] = {"lang": ("ko", "en")[n % 4 // 2], "long": "x" * 20}
        lines.append(json.dumps(row, ensure_ascii=n % 5 > 0))
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert rows_of(read_scores(path, "many")) == [row_of(n, line.encode()) for n, line in enumerate(lines, 1)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"metric": "m", "score": 1}', "a.jsonl:2: id: missing"),
        ('{"id": null, "metric": "m", "score": 1}', "a.jsonl:2: id: expected text, got nothing"),
        ('{"id": "", "metric": "m", "score": 1}', "a.jsonl:2: id: may not be empty"),
        ('{"id": true, "metric": "m", "score": 1}', "a.jsonl:2: id: expected text, got true"),
        ('{"id": "a\\u0007", "metric": "m", "score": 1}', "a.jsonl:2: id: an id is printable text"),
        ('{"id": "q", "score": 1}', "a.jsonl:2: metric: missing"),
        ('{"id": "q", "metric": ["m"], "score": 1}', "a.jsonl:2: metric: expected text, got a list"),
        ('{"id": "q", "metric": "m"}', "a.jsonl:2: score: missing; write null where the sample is unscored"),
        ('{"id": "q", "metric": "m", "score": true}', "a.jsonl:2: score: expected a number or null, got true"),
        ('{"id": "q", "metric": "m", "score": "0.5"}', "a.jsonl:2: score: expected a number or null, got text '0.5'"),
        ('{"id": "q", "metric": "m", "score": NaN}', "a.jsonl:2: score: expected a finite number, got NaN; write null"),
        (
            '{"id": "q", "metric": "m", "score": -Infinity}',
            "score: expected a finite number, got -Infinity; write null",
        ),
        ('{"id": "q", "metric": "m", "score": 1e999}', "a.jsonl:2: "),
        ('{"id": "q", "metric": "m", "score": 1' + "0" * 400 + "}", "a.jsonl:2: score: expected a finite number"),
        ('{"id": "q", "metric": "m", "score": 1, "sample": -1}', "a.jsonl:2: sample: expected the number of a repeat"),
        ('{"id": "q", "metric": "m", "score": 1, "sample": 0.0}', "a.jsonl:2: sample: expected the number of a repeat"),
        ('{"id": "q", "metric": "m", "score": 1, "sample": 3000000000}', "a.jsonl:2: sample: expected the number"),
        ('{"id": "q", "metric": "m", "score": 1, "cluster": ""}', "a.jsonl:2: cluster: may not be empty"),
        ('{"id": "q", "metric": "m", "score": 1, "tags": ["ko"]}', "a.jsonl:2: tags: expected a mapping of texts"),
        (
            '{"id": "q", "metric": "m", "score": 1, "tags": {"year": 2024}}',
            "tags.year: expected text, got the number 2024",
        ),
        ('{"id": "q", "metric": "m", "score": 1, "tags": {"a=b": "c"}}', "a.jsonl:2: tags: expected a printable name"),
        (
            '{"id": "q", "metric": "m", "score": 1, "tags": {"a": ["c"]}}',
            "a.jsonl:2: tags.a: expected text, got a list",
        ),
        ('{"id": "q", "metric": "m", "score": 1, "reason": 5}', "a.jsonl:2: reason: expected text"),
        (
            '{"id": "q", "metric": "m", "score": 1, "smaple": 2}',
            "a.jsonl:2: smaple: unknown field; did you mean sample?",
        ),
        ('{"id": "q", "metric": "m", "score": 1', "a.jsonl:2: not JSON at column"),
        ('["q", "m", 1]', "a.jsonl:2: expected a JSON object, got a list"),
        (
            '{"id": "q", "metric": "m", "score": 1},{"id": "r", "metric": "m", "score": 1}',
            "a.jsonl:2: not JSON at column",
        ),
    ],
)
def test_a_mistake_names_file_line_and_field(line: str, told: str, read: Read) -> None:
    sound = '{"id": "first", "metric": "m", "score": 1}'
    with pytest.raises(DatasetError) as caught:
        read(sound, line)
    assert told in str(caught.value)


def test_all_mistakes_of_a_file_are_told_but_twenty_at_most(read: Read) -> None:
    with pytest.raises(DatasetError) as caught:
        read('{"id": 1}', "{}", '{"id": "q", "metric": "m", "score": 1}', "nonsense")
    assert [(p.line, p.field) for p in caught.value.problems] == [
        (1, "metric"),
        (1, "score"),
        (2, "id"),
        (2, "metric"),
        (2, "score"),
        (4, None),
    ]
    with pytest.raises(DatasetError) as caught:
        read(*["{}"] * 30)
    assert len(caught.value.problems) == 20


def test_a_score_that_stands_twice_names_both_lines(read: Read) -> None:
    with pytest.raises(DatasetError) as caught:
        read(
            '{"id": "q1", "metric": "m", "score": 1}',
            '{"id": "q1", "metric": "m", "score": 1, "sample": 1}',
            '{"id": "q1", "metric": "n", "score": 1}',
            '{"id": "q1", "metric": "m", "score": 0}',
        )
    (problem,) = caught.value.problems
    assert str(problem) == (
        "a.jsonl:4: the score of m for 'q1', sample 0, stands twice, on lines 1 and 4; number repeats with sample"
    )


def test_a_sample_in_two_clusters_names_both_lines(read: Read) -> None:
    with pytest.raises(DatasetError) as caught:
        read(
            '{"id": "q1", "metric": "m", "score": 1, "cluster": "doc1"}',
            '{"id": "q1", "metric": "n", "score": 1, "cluster": "doc2"}',
        )
    assert "a.jsonl:2: cluster: 'q1' is in the cluster doc2 here and in doc1 on line 1" in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_a_file_without_a_score_holds_none(text: str, read: Read) -> None:
    with pytest.raises(NoSamplesError, match=r"a\.jsonl: holds no score"):
        read(text)


def test_a_file_that_is_not_there_or_hostile_is_told(tmp_path: Path, read: Read) -> None:
    with pytest.raises(DatasetError, match=r"cannot be read"):
        read_scores(tmp_path / "missing.jsonl", "missing.jsonl")
    with pytest.raises(DatasetError, match=r"cannot be read"):
        read_scores(tmp_path, "folder")
    sound = '{"id": "q1", "metric": "m", "score": 1}'
    with pytest.raises(DatasetError, match=r"a\.jsonl:2: the row is over the limit of 8 MB"):
        read(sound, '{"id": "' + "x" * (MAX_ROW + 2**20) + '"}')
    with pytest.raises(DatasetError, match=r"a\.jsonl:2: not JSON"):
        read(sound, '{"id": ' + "[" * 100_000)
    (tmp_path / "b.jsonl").write_bytes(sound.encode() + b'\n{"id": "\xff", "metric": "m", "score": 1}')
    with pytest.raises(DatasetError, match=r"b\.jsonl:2: not UTF-8"):
        read_scores(tmp_path / "b.jsonl", "b.jsonl")


def test_rows_of_any_reader_become_the_same_columns() -> None:
    rows = [ToolScore("b", "m", 0.5, tags={"x": "1"}), ToolScore("a", "m", None, reason="refused", cluster="c")]
    found = collect(rows, "other.json")
    assert rows_of(found) == rows
    with pytest.raises(DatasetError, match=r"other\.json: the score of m for 'a', sample 0, stands twice; number"):
        collect([*rows, ToolScore("a", "m", 1.0, cluster="c")], "other.json")
    with pytest.raises(NoSamplesError):
        collect([], "other.json")
    with pytest.raises(ValueError, match="finite"):
        ToolScore("a", "m", float("nan"))


@pytest.mark.parametrize("score", ["1e308", "-1e160", "2e100"])
def test_a_score_that_cannot_be_squared_is_refused_at_its_line(score: str, read: Read) -> None:
    """A mean of 1e308 and 1e308 is infinite, and a difference of such means is a verdict on nothing."""
    row = {"id": "q1", "metric": "right", "score": 1e100}
    with pytest.raises(DatasetError, match=r"^a.jsonl:2: score: \S+ is beyond what can be summed; .* at most 1e\+100"):
        read(row, f'{{"id": "q2", "metric": "right", "score": {score}}}', {**row, "id": "q3", "score": None})
