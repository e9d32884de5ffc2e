"""CodeFolder: a folder whose code may be run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CodeFolder:
    """A folder that lies in one which the settings allow. `name` is how it was named, `path` where it really is,
    `timeout_s` how long one call of its code may take; None: as long as it does.
    """

    name: str
    path: Path
    timeout_s: float | None = None
