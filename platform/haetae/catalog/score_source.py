"""Whose score file this is: what stands in it decides which reader reads it."""

from __future__ import annotations

from pathlib import Path

from haetae.catalog.score_file import read_scores
from haetae.core.score_columns import ScoreColumns


def scores_of(path: Path, file: str | None = None) -> ScoreColumns:
    """The scores in a file of any tool; `file` is its name in messages, by default the path.

    Raises DatasetError for a file that cannot be read as scores: see `read_scores`.
    """
    return read_scores(path, str(path) if file is None else file)
