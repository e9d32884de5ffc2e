"""Where files may lie and how they are opened: inside the project, regular, of a known size, in UTF-8."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from haetae.errors import ConfigError, Problem

MAX_TEXT = 1_000_000
"""Largest suite, model or prompt file, in bytes."""
_MARKS = (("pyproject.toml", ".git"), (".haetae",))
"""What marks a project, the surer signs first: a folder of runs is made wherever somebody runs a suite."""


def project_root(folder: Path) -> Path:
    """The nearest folder, from this one upward, that holds pyproject.toml or .git.

    Where none does it is the nearest that holds .haetae, else this one.
    """
    folder = folder.resolve()
    for marks in _MARKS:
        for up in (folder, *folder.parents):
            if any((up / mark).exists() for mark in marks):
                return up
    return folder


def locate(path: str | Path, *, folder: Path, root: Path) -> Path:
    """The real path of a regular file inside `root`; a relative path starts at `folder`.

    Symbolic links are followed before the check. Raises ConfigError with the path given and the path
    it leads to: outside the project, missing, a directory, a device, unreadable.
    """
    real, mode = _inside(path, folder, root)
    if stat.S_ISDIR(mode):
        raise ConfigError(f"{path} is a directory (at {real}), expected a file")
    if not stat.S_ISREG(mode):
        raise ConfigError(f"{path} is not a regular file (at {real})")
    return real


def locate_folder(path: str | Path, *, folder: Path, root: Path) -> Path:
    """The real path of a folder inside `root`, by the rules of `locate`."""
    real, mode = _inside(path, folder, root)
    if not stat.S_ISDIR(mode):
        raise ConfigError(f"{path} is not a folder (at {real})")
    return real


def _inside(path: str | Path, folder: Path, root: Path) -> tuple[Path, int]:
    """The real path and its mode. Raises ConfigError for what lies outside the project or is not there."""
    given = str(path)
    if not given or not given.isprintable():
        raise ConfigError(f"not a path: {given[:80]!r}")
    try:
        real, root = (folder / given).resolve(), root.resolve()
        if not real.is_relative_to(root):
            raise ConfigError(f"{given} leads to {real}, which is outside the project {root}")
        return real, real.stat().st_mode
    except FileNotFoundError:
        raise ConfigError(f"{given} does not exist (looked for {real})") from None
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(f"{given} cannot be opened: {exc}") from exc


def shown(path: Path, root: Path | None = None) -> str:
    """How messages call a file: from the working directory in or above its project, else from the project."""
    here, root = Path.cwd(), (root or project_root(path.parent)).resolve()
    if path.is_relative_to(here) or (path.is_relative_to(root) and here.is_relative_to(root)):
        return os.path.relpath(path, here)
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def read_text(path: Path, file: str, most: int = MAX_TEXT) -> str:
    """The text of a small UTF-8 file, a byte-order mark left out. `file` is its name in messages.

    Raises ConfigError: cannot be read, over `most` bytes, not UTF-8 (with the byte).
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(Problem("is not a regular file", file=file))
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
    except (OSError, ValueError) as exc:
        raise ConfigError(Problem(f"cannot be read: {exc}", file=file)) from exc
    if len(raw) > most:
        raise ConfigError(Problem(f"the file is over {most // 1_000_000} MB", file=file))
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError(Problem(f"not UTF-8 at byte {exc.start}; save as UTF-8", file=file, line=line)) from exc
