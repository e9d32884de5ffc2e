"""Where code that a suite names by its folder may be run from: nowhere, unless the settings say so."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from haetae.core.code_folder import CodeFolder
from haetae.errors import ConfigError

SETTING = "HAETAE_EVALUATE_FOLDERS"


def locate_code(text: str, *, folder: Path, allowed: Iterable[Path]) -> CodeFolder:
    """The folder that a suite in `folder` names, if it lies in one that is allowed; links are followed first.

    Raises ConfigError, with how to allow it: a name of the hub, outside what is allowed, open to others.
    """
    if not text or not text.isprintable():
        raise ConfigError(f"not a path: {text[:80]!r}")
    try:
        real = (folder / text).resolve()
        mode = real.stat().st_mode if real.is_dir() else None
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(f"{text} cannot be opened: {exc}") from exc
    if mode is None:
        hub = "a name of the Hugging Face hub is not taken, because its code would be downloaded and run"
        raise ConfigError(f"{text} is no folder (looked for {real}); {hub}: name a local folder")
    places = [place.resolve() for place in allowed]
    if not any(real.is_relative_to(place) for place in places):
        there = f"it allows {', '.join(map(str, places))}" if places else "it allows none"
        raise ConfigError(f"{text} is code, which is run only from the folders of {SETTING}; {there}. Add {real}")
    if mode & stat.S_IWOTH:
        raise ConfigError(f"{text} is code that anybody may change: take the right to write from others on {real}")
    return CodeFolder(text, real)
