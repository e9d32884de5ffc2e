"""The files of a folder whose code is run: all of them lie in it."""

from __future__ import annotations

import os
from pathlib import Path

from haetae.errors import ConfigError

_CACHES = frozenset({"__pycache__", ".git"})


def code_files(folder: Path) -> list[Path]:
    """Every file of the folder and its subfolders, sorted, without caches of bytecode.

    Raises ConfigError for a link to elsewhere, whose code would be neither checked nor hashed, and for a linked
    folder, which may lead to another one tomorrow.
    """
    place, found = folder.resolve(), []
    for here, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in _CACHES]
        for entry in [Path(here, name) for name in (*folders, *files)]:
            real = entry.resolve()
            if not real.is_relative_to(place) or (entry.is_symlink() and not real.is_file()):
                shown = entry.relative_to(place).as_posix()
                raise ConfigError(f"{folder.name}: {shown} leads to {real}; the code of a folder lies in it, unlinked")
            if real.is_file():
                found.append(entry)
    return sorted(found)
