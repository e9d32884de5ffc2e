"""Rows that a program hands over: any iterable of mappings, written to a file of JSON lines and read as one.

So they are checked whole before the first call, take no memory however many they are, may come from a generator that
gives them once, and cannot change while they are in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from haetae.catalog.data_file import problems
from haetae.catalog.dataset_file import DatasetFile
from haetae.catalog.explain import found
from haetae.catalog.lines import MAX_UNPACKED
from haetae.catalog.plain_row import plain_row
from haetae.catalog.record_batches import MOST_ROWS, rows_of
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json, dumps
from haetae.core.sample import Sample
from haetae.core.secrets import redact
from haetae.errors import ConfigError, DatasetError, HaetaeError, Problem, boundary

FILE = "the dataset given"
"""What messages call it; its lines are the rows, from 1."""
NAME = "given/rows"

Rows = Iterable[Mapping[str, Any] | Sample]


@dataclass(frozen=True)
class GivenRows:
    """The file of the rows, and the faults of those that are no JSON: of each a blank line stands in the file."""

    path: Path
    faults: tuple[Problem, ...]

    def open(self, *, limit: int | None, skip_bad: bool, require: Mapping[str, str]) -> DatasetFile:
        """Check the rows whole; see `open_dataset`."""
        dataset = DatasetFile(self.path, FILE, require, skip_bad, pictures=False)
        dataset.rejects += self.faults
        dataset.check(limit)
        return dataset


@contextmanager
def kept_while(rows: Rows | None, folder: Path) -> Iterator[GivenRows | None]:
    """The rows on disk, in `folder`, while the block runs; None where none are given.

    Raises ConfigError for what holds no rows, DatasetError when the iterable raises or the disk cannot hold them.
    """
    if rows is None:
        yield None
        return
    if isinstance(rows, Mapping):
        raise ConfigError(f"dataset: it holds several by name ({', '.join(map(str, rows))[:200]}); give one of them")
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise ConfigError(f"dataset: expected an iterable of mappings, got {type(rows).__name__}")
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        raise ConfigError('dataset: a table gives its columns; give its rows: frame.to_dict("records")')
    if getattr(rows, "format", {}).get("type") == "custom":
        raise ConfigError("dataset: it has a transform, which is not run here; apply it first, with dataset.map(...)")
    with boundary(DatasetError, f"{FILE} cannot be kept in {folder} while it is in use"):
        folder.mkdir(parents=True, exist_ok=True)
        place = TemporaryDirectory(prefix="rows-", dir=folder)
    with place:
        file = Path(place.name) / f"{NAME}.jsonl"
        file.parent.mkdir()
        yield GivenRows(file, tuple(_written(rows, file)))


def _written(rows: Rows, file: Path) -> Iterator[Problem]:
    """Write the rows, a line each; what is wrong with those that no line can hold."""
    number = size = 0
    with _redacted(), file.open("w", encoding="utf-8") as stream:
        for number, plain in enumerate(_each(rows), start=1):
            if isinstance(plain, BadRow):
                yield from problems(FILE, number, plain)
                stream.write("\n")
            else:
                size += stream.write(dumps(plain) + "\n")
            if size > MAX_UNPACKED:
                raise DatasetError(
                    Problem(f"the rows are over the limit of {MAX_UNPACKED // 1024**3} GB", FILE, number)
                )


@contextmanager
def _redacted() -> Iterator[None]:
    """Turn what the program's own code raises into DatasetError, without the secrets that its message may hold."""
    try:
        yield
    except HaetaeError:
        raise
    except Exception as exc:
        raise DatasetError(redact(f"{FILE} ends with an error: {type(exc).__name__}: {exc}")) from exc


def _each(rows: Rows) -> Iterator[Json | BadRow]:
    """Each row as an object, or why there is none.

    Datasets of Hugging Face are read as the tables that they are: they would decode pictures and sounds, and fetch
    those that lie elsewhere.
    """
    if hasattr(rows, "with_format") and getattr(rows, "features", None):
        tables = rows.with_format("arrow").iter(MOST_ROWS)
        return rows_of((batch for table in tables for batch in table.to_batches()), FILE)
    return map(_plain, rows)


def _plain(row: Mapping[str, Any] | Sample) -> Json | BadRow:
    if isinstance(row, Sample):
        return row.as_json()
    if not isinstance(row, Mapping):
        return BadRow([("", f"expected a mapping, got {found(row)}")])
    return plain_row(row)
