"""A folder that Hugging Face's `datasets` wrote with save_to_disk: which files hold its rows. Nothing of it is code."""

from __future__ import annotations

from pathlib import Path

from haetae.catalog.files import locate, read_text, shown
from haetae.core.canonical import loads
from haetae.errors import ConfigError, DatasetError, Problem

STATE, _SPLITS = "state.json", "dataset_dict.json"


def is_saved(folder: Path) -> bool:
    """Whether a folder holds a saved dataset, or several of them as splits."""
    return any((folder / name).is_file() for name in (STATE, _SPLITS))


def data_files(folder: Path) -> list[Path]:
    """The files of its rows, in order.

    Raises DatasetError: it holds splits, of which one must be named; a file that it lists lies elsewhere or is gone.
    """
    name = shown(folder)
    if not (folder / STATE).is_file():
        splits = sorted(path.name for path in folder.iterdir() if (path / STATE).is_file())
        listed = ", ".join(f"{name}/{split}" for split in splits) or "none that is whole"
        raise DatasetError(Problem(f"it holds several splits; name one of them: {listed}", file=name))
    try:
        listed_files = loads(read_text(folder / STATE, f"{name}/{STATE}"))["_data_files"]
        names = [entry["filename"] for entry in listed_files]
    except (ValueError, TypeError, KeyError) as exc:
        raise DatasetError(Problem("lists no data files as datasets does", file=f"{name}/{STATE}")) from exc
    try:
        return [locate(str(entry), folder=folder, root=folder) for entry in names]
    except ConfigError as exc:
        raise DatasetError([Problem(problem.message, file=f"{name}/{STATE}") for problem in exc.problems]) from exc
