"""Whose a name in MLflow's registries is, and which of its versions are.

The versions there say it, by the reference here that they are marked with. A mark counts only under a name that the
reference may have there: a version that was copied to another name there, marks and all, is that one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from haetae.trackers.mlflow_names import names_there

REFERENCE = "haetae.version"
"""The tag with the reference here of a version there."""


def oldest_first(versions: Iterable[Any]) -> list[Any]:
    """The versions of one name there, by number."""
    return sorted(versions, key=lambda version: int(version.version))


def owner(kind: str, there: str, versions: Sequence[Any]) -> str | None:
    """The name here that the versions of a name there say it is of, the oldest first; None where none says it."""
    said = (_said(kind, there, version) for version in versions)
    return next((name for name in said if name is not None), None)


def owned(kind: str, there: str, versions: Sequence[Any], name: str) -> list[Any]:
    """The versions there that are not said to be of another name here."""
    return [version for version in versions if _said(kind, there, version) in (None, name)]


def _said(kind: str, there: str, version: Any) -> str | None:
    name = str(version.tags.get(REFERENCE, "")).rpartition("@")[0]
    return name if name and there in names_there(kind, name) else None
