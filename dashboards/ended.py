"""Sessions that were signed out: their cookies are good no more."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path

_LOG = logging.getLogger(__name__)


class Ended:
    """Which sessions were signed out, for as long as a cookie lives.

    In `folder` each is an empty file: a dashboard that is started again knows of them, and so does one beside it.
    Without a folder this process alone knows.
    """

    def __init__(self, folder: Path | None, life_s: float) -> None:
        self._folder, self._life_s = folder, life_s
        self._here: dict[str, float] = {}

    def __contains__(self, session: str) -> bool:
        return session in self._here or (self._folder is not None and (self._folder / session).exists())

    def add(self, session: str) -> None:
        """It is over. What was kept of older ones than any cookie is dropped."""
        born = time.time() - self._life_s
        self._here = {one: at for one, at in self._here.items() if at >= born} | {session: time.time()}
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / session).touch()
            _drop(self._folder, born)
        except OSError as exc:
            _LOG.warning("who signed out is forgotten by a restart: %s cannot be written (%s)", self._folder, exc)


def _drop(folder: Path, born: float) -> None:
    for kept in folder.iterdir():
        with suppress(FileNotFoundError):  # another dashboard drops them too
            if kept.stat().st_mtime < born:
                kept.unlink()
