"""`Workbench.run("suite.yaml", dataset=rows)`: rows of a program are evaluated as those of a file are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

import datasets
from haetae import HaetaeError, Report, Sample, Workbench, load_settings
from haetae.core.run import Unfinished
from haetae.errors import ConfigError
from haetae.workbench import resuming

ROWS = [
    {"id": f"s{n}", "input": f"질문 {n}", "reference": f"answer {n}", "metadata": {"language": "ko"}} for n in range(30)
]
SUITE = """\
suite: shop
dataset: rows.jsonl
target: { outputs: outputs.jsonl }
metrics: { right: exact_match }
gate: { metrics: { right: { max_drop: 0.1 } } }
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as bench:
        yield bench


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    answers = [{"id": f"s{n}", "output": f"answer {n}"} for n in range(30)]
    for name, lines in (("rows", ROWS), ("outputs", answers)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path / "suite.yaml"


def _streamed() -> Any:
    return datasets.IterableDataset.from_generator(lambda: iter(ROWS))


GIVEN: dict[str, Callable[[], Any]] = {
    "a list": lambda: ROWS,
    "a generator": lambda: (row for row in ROWS),
    "a dataset": lambda: datasets.Dataset.from_list(ROWS),
    "a streamed dataset": _streamed,
    "samples": lambda: [
        Sample(row["id"], row["input"], (row["reference"],), metadata=row["metadata"])  # type: ignore[arg-type]
        for row in ROWS
    ],
    "columns of a table": lambda: [
        {**{k: v for k, v in row.items() if k != "metadata"}, "metadata.language": "ko", "contexts": float("nan")}
        for row in ROWS
    ],
}


def _version(report: Report) -> Any:
    return report.run.manifest.dataset["version"]


@pytest.mark.parametrize("kind", GIVEN)
def test_rows_of_any_kind_have_the_version_and_scores_of_their_file(kind: str, suite: Path, bench: Workbench) -> None:
    file, given = bench.run(suite), bench.run(suite, dataset=GIVEN[kind]())
    assert _version(given) == _version(file)
    assert [estimate.as_json() for estimate in given.estimates] == [estimate.as_json() for estimate in file.estimates]
    assert dict(given.run.manifest.dataset) | {"version": ""} == {"name": "given/rows", "version": "", "count": 30}
    assert list((bench.settings.home / "given").iterdir()) == []


def test_the_same_rows_are_gated_against_one_another(suite: Path, bench: Workbench) -> None:
    bench.promote(bench.run(suite, dataset=iter(ROWS)).run.id)
    assert str(bench.gate(suite, dataset=iter(ROWS)).verdict) == "pass"
    assert str(bench.gate(suite, dataset=iter(ROWS[:20])).verdict) == "no verdict"
    assert bench.check(suite, dataset=ROWS[:20]).samples == 20


def test_what_is_wrong_with_a_row_is_said_by_its_number(suite: Path, bench: Workbench) -> None:
    wrong: list[Any] = [ROWS[0], "text", {"input": object()}, ROWS[1], ROWS[0], {"input": "", "reference": "x"}]
    with pytest.raises(HaetaeError) as caught:
        bench.run(suite, dataset=iter(wrong))
    assert str(caught.value).splitlines() == [
        "the dataset given:2: expected a mapping, got text 'text'",
        "the dataset given:3: input: expected text, a number, a list or a mapping, got object",
        "the dataset given:5: id: the id 's0' stands twice, on lines 1 and 5",
        "the dataset given:6: input: missing; expected text or a list of messages",
    ]
    report = bench.run(suite, dataset=iter(wrong), skip_bad=True)
    assert report.run.total == 2
    assert "rows left out because they cannot be read: 4" in report.notes[0]


def test_numbers_of_numpy_are_numbers(suite: Path, bench: Workbench) -> None:
    rows = [
        {**row, "metadata": {"n": np.int64(1), "share": np.float32(0.5), "none": np.float64("nan")}} for row in ROWS
    ]
    plain = [{**row, "metadata": {"n": 1, "share": 0.5}} for row in ROWS]
    assert _version(bench.run(suite, dataset=rows)) == _version(bench.run(suite, dataset=plain))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"train": ROWS, "test": ROWS}, r"it holds several by name \(train, test\); give one of them"),
        (
            datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}),
            r"it holds several by name \(train\); give one of them",
        ),
        (datasets.Dataset.from_list(ROWS).with_transform(lambda row: row), r"apply it first, with dataset\.map"),
        ("rows.jsonl", "expected an iterable of mappings, got str"),
        (7, "expected an iterable of mappings, got int"),
        ([], "0 samples"),
        ([{"input": [{"role": "user", "content": "?", "images": ["a.png"]}], "reference": "x"}], "only .jsonl"),
    ],
)
def test_what_holds_no_rows_is_refused(rows: Any, said: str, suite: Path, bench: Workbench) -> None:
    with pytest.raises(HaetaeError, match=said):
        bench.run(suite, dataset=rows)
    assert list(bench.ledger.runs()) == []


def test_an_iterable_that_breaks_is_said_and_nothing_stays(suite: Path, bench: Workbench) -> None:
    def rows() -> Iterator[Any]:
        yield ROWS[0]
        raise RuntimeError("the network is gone")

    with pytest.raises(HaetaeError, match="the dataset given ends with an error: RuntimeError: the network is gone"):
        bench.run(suite, dataset=rows())
    assert list((bench.settings.home / "given").iterdir()) == []


def test_what_an_iterable_says_as_it_breaks_holds_no_secret(suite: Path, bench: Workbench) -> None:
    def rows() -> Iterator[Any]:
        yield ROWS[0]
        raise RuntimeError("refused: sk-abcdefghijklmnop1234")

    with pytest.raises(HaetaeError, match=r"refused: \*\*\*$"):
        bench.run(suite, dataset=rows())


def test_what_pandas_writes_for_nothing_is_nothing(suite: Path, bench: Workbench) -> None:
    rows = [{**row, "metadata": {"language": "ko", "a": pd.NA, "b": pd.NaT}, "contexts": pd.NA} for row in ROWS]
    assert _version(bench.run(suite, dataset=rows)) == _version(bench.run(suite, dataset=ROWS))


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


class _Unsayable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({1: 2, "input": "q"}, "the name of a field is text, got int"),
        ({None: 2, "input": "q"}, "the name of a field is text, got NoneType"),
        ({"input": "q", "metadata": {_Unsayable(): 1}}, "metadata: a key of it is no text"),
        ({"input": "q", "metadata": {"c": _endless()}}, "nested over 64 levels"),
        ({"input": "q", "metadata": {"n": 10**5000}}, "metadata.n: holds a number that is not finite"),
        ({"input": "q", "metadata": {"n": Fraction(10**400)}}, "metadata.n: holds a number that is not finite"),
    ],
)
def test_a_value_that_no_file_could_hold_is_said_by_the_number_of_its_row(
    row: Any, said: str, suite: Path, bench: Workbench
) -> None:
    with pytest.raises(HaetaeError) as caught:
        bench.run(suite, dataset=[ROWS[0], row])
    (problem,) = str(caught.value).splitlines()
    assert "2: " in problem or "row 2 " in problem
    assert said in problem


def test_an_integer_over_64_bits_is_what_a_file_makes_of_it(suite: Path, bench: Workbench) -> None:
    rows = [{**ROWS[0], "metadata": {"n": 2**70, "share": Fraction(1, 2)}}]
    (suite.parent / "rows.jsonl").write_text(json.dumps({**ROWS[0], "metadata": {"n": 2**70, "share": 0.5}}))
    assert _version(bench.run(suite, dataset=rows)) == _version(bench.run(suite))


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The address of a picture, and the requests that came for it."""
    asked: list[str] = []

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    serving = Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/a.png", asked
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", ["picture", "list of pictures", "video", "document"])
def test_nothing_that_a_dataset_names_is_fetched_or_opened(
    kind: str, streamed: bool, suite: Path, bench: Workbench, elsewhere: tuple[str, list[str]]
) -> None:
    address, asked = elsewhere
    named = {"path": address, "bytes": None}
    feature, value = {
        "picture": (datasets.Image(), named),
        "list of pictures": ([datasets.Image()], [named]),
        "video": (datasets.Video(), named),
        "document": (datasets.Pdf(), named),
    }[kind]
    features = datasets.Features({"input": datasets.Value("string"), "image": feature})
    plain = datasets.Features({"input": datasets.Value("string"), "image": _stored(feature)})
    rows = datasets.Dataset.from_dict({"input": ["q"], "image": [value]}, features=plain).cast(features)
    with pytest.raises(HaetaeError, match="image: unknown field"):
        bench.run(suite, dataset=rows.to_iterable_dataset() if streamed else rows)
    assert asked == []


def _stored(feature: Any) -> Any:
    inner = {"path": datasets.Value("string"), "bytes": datasets.Value("binary")}
    return [inner] if isinstance(feature, list) else inner


def test_a_run_whose_rows_were_given_is_continued_by_whom_has_them(suite: Path, bench: Workbench) -> None:
    given, read = (bench.run(suite, dataset=ROWS).run for _ in range(2))
    read = replace(read, tags={"suite_file": read.tags["suite_file"]})
    again = f'bench.run("{suite.name}", dataset=rows)'
    assert [resuming.way_on(run) for run in (given, read)] == [again, f"haetae resume {read.id}"]
    assert resuming.newest([Unfinished(given, 1, None), Unfinished(read, 1, None)]) == read
    with pytest.raises(ConfigError, match=re.escape(f"{given.id} was given its rows by a program, which alone")):
        resuming.suite_of(resuming.newest([Unfinished(given, 1, None)]), bench.settings.home)
