"""Which data files may be read, and by which reader; everything that could run code is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from haetae.catalog.csv_file import read_csv
from haetae.catalog.files import locate, locate_folder
from haetae.catalog.jsonl import read_jsonl
from haetae.catalog.rows import BadRow
from haetae.catalog.saved_folder import data_files, is_saved
from haetae.catalog.unpacking import is_packed
from haetae.core.canonical import Json
from haetae.errors import ConfigError, DatasetError, MissingExtra, Problem

Reader = Callable[[Path, str], Iterator[tuple[int, Json | BadRow]]]
"""From a path and its name in messages to (line, row or fault)."""

_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".npy", ".npz", ".h5", ".hdf5"})
_CODE = frozenset({".py", ".pyc", ".ipynb", ".sh"})
_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".7z", ".rar", ".lz4"})
_TEXT_READERS: dict[str, Reader] = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".csv": read_csv, ".tsv": read_csv}
_SAVED = "a saved folder"
_TABLES = frozenset({".parquet", ".arrow", _SAVED})
_KINDS = (
    ".jsonl, .ndjson, .csv, .tsv (each also .gz, .bz2, .xz, .zst), .parquet, .arrow and folders that datasets saved"
)


def find_data(path: Path, root: Path) -> Path:
    """The real path of a data file inside the project. Raises DatasetError (see `files.locate`)."""
    try:
        find = locate_folder if is_saved(root / path) else locate
        found = find(path, folder=root, root=root)
    except ConfigError as exc:
        raise DatasetError(exc.problems) from exc
    reader_of(root / path)
    return found


def files_of(path: Path) -> list[Path]:
    """The files that hold the rows: the path itself, or those of a saved folder."""
    return data_files(path) if is_saved(path) else [path]


def reader_of(path: Path) -> Reader:
    """The reader for a suffix, or for a folder that `datasets` saved.

    Raises DatasetError for other kinds, MissingExtra for Parquet and Arrow without pyarrow.
    """
    suffix = _SAVED if is_saved(path) else path.suffix.lower()
    if suffix in _TABLES:
        return _table_reader(suffix)
    if suffix in _PICKLES or suffix in _CODE:
        what = "pickle" if suffix in _PICKLES else "remote code"
        raise DatasetError(f"{path.name}: {what} is not supported: a dataset is data, never code; use {_KINDS}")
    if suffix in _ARCHIVES:
        raise DatasetError(f"{path.name}: archives are not read; unpack it first and name the file inside")
    reader = _TEXT_READERS.get(PurePath(path.stem).suffix.lower() if is_packed(path) else suffix)
    if reader is None:
        hint = "; write one object a line" if suffix == ".json" else ""
        raise DatasetError(f"{path.name}: a dataset is one of {_KINDS}{hint}")
    return reader


def _table_reader(suffix: str) -> Reader:
    try:
        if suffix == ".parquet":
            from haetae.catalog.parquet import read_parquet

            return read_parquet
        from haetae.catalog.arrow import read_arrow, read_saved
    except ImportError as exc:
        raise MissingExtra("pyarrow", "parquet") from exc
    return read_arrow if suffix == ".arrow" else read_saved


def stem(path: PurePath) -> str:
    """The file's name without its suffixes."""
    return PurePath(path.stem if is_packed(path) else path.name).stem


def problems(file: str, line: int, bad: BadRow) -> list[Problem]:
    """A row's faults at their line."""
    return [Problem(message, file, line, None, field or None) for field, message in bad.faults]
