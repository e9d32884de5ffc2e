"""Which data files may be read, and by which reader; everything that could run code is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from haetae.catalog.csv_file import read_csv
from haetae.catalog.files import locate
from haetae.catalog.jsonl import read_jsonl
from haetae.catalog.rows import BadRow
from haetae.core.canonical import Json
from haetae.errors import ConfigError, DatasetError, MissingExtra, Problem

Reader = Callable[[Path, str], Iterator[tuple[int, Json | BadRow]]]
"""From a path and its name in messages to (line, row or fault)."""

_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".npy", ".npz", ".h5", ".hdf5"})
_CODE = frozenset({".py", ".pyc", ".ipynb", ".sh"})
_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst", ".lz4"})
_TEXT_READERS: dict[str, Reader] = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".csv": read_csv, ".tsv": read_csv}
_KINDS = ".jsonl, .ndjson, .csv, .tsv (each also .gz) and .parquet"


def find_data(path: Path, root: Path) -> Path:
    """The real path of a data file inside the project. Raises DatasetError (see `files.locate`)."""
    try:
        found = locate(path, folder=root, root=root)
    except ConfigError as exc:
        raise DatasetError(exc.problems) from exc
    reader_of(PurePath(path))
    return found


def reader_of(path: PurePath) -> Reader:
    """The reader for a suffix. Raises DatasetError for other kinds, MissingExtra for Parquet without pyarrow."""
    suffix = path.suffix.lower()
    if suffix in _PICKLES or suffix in _CODE:
        what = "pickle" if suffix in _PICKLES else "remote code"
        raise DatasetError(f"{path.name}: {what} is not supported: a dataset is data, never code; use {_KINDS}")
    if suffix in _ARCHIVES:
        raise DatasetError(f"{path.name}: archives are not read; unpack it first and name the file inside")
    if suffix == ".parquet":
        try:
            from haetae.catalog.parquet import read_parquet
        except ImportError as exc:
            raise MissingExtra("pyarrow", "mlflow") from exc
        return read_parquet
    reader = _TEXT_READERS.get(PurePath(path.stem).suffix.lower() if suffix == ".gz" else suffix)
    if reader is None:
        hint = "; write one object a line" if suffix == ".json" else ""
        raise DatasetError(f"{path.name}: a dataset is one of {_KINDS}{hint}")
    return reader


def stem(path: PurePath) -> str:
    """The file's name without its suffixes."""
    name = path.name.removesuffix(".gz")
    return PurePath(name).stem


def problems(file: str, line: int, bad: BadRow) -> list[Problem]:
    """A row's faults at their line."""
    return [Problem(message, file, line, None, field or None) for field, message in bad.faults]
