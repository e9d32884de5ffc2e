"""How far a run is, as an artifact that is updated while it goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, cast
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact

if TYPE_CHECKING:
    from haetae.engine.watch import Progress

_EVERY_S = 15.0
"""A call to the server each time: a run of an hour makes 240."""
_PATIENCE_S = 10.0
"""How long a run's end waits for the last call; it holds up nothing but itself."""
_log = logging.getLogger(__name__)


@contextmanager
def shown_progress(key: str, every_s: float = _EVERY_S) -> Iterator[Callable[[Progress], None]]:
    """A watcher of a run; what it was told last becomes the artifact, in a thread: a slow server slows no call."""
    told: list[Progress] = []
    over = threading.Event()

    def show() -> None:
        artifact: UUID | None = None
        shown: Progress | None = None
        last = False
        while not last:
            last = over.wait(every_s)
            newest = told[-1] if told else None
            if newest is None or newest is shown:
                continue
            try:
                artifact = _shown(newest, key, artifact)
                shown = newest
            except httpx.HTTPError as exc:  # the run goes on, and the next time tells more
                _log.warning("its progress cannot be shown: %s", exc)

    thread = threading.Thread(target=copy_context().run, args=(show,), daemon=True)
    thread.start()
    try:
        yield lambda progress: told.__setitem__(slice(None), [progress])
    finally:
        over.set()
        thread.join(_PATIENCE_S)


def _shown(progress: Progress, key: str, artifact: UUID | None) -> UUID:
    share = 100.0 * progress.done / progress.total if progress.total else 100.0
    text = f"{progress.run}: {progress.done:,} of {progress.total:,} done, {progress.failed:,} failed"
    if artifact is None:
        shown = create_progress_artifact(share, key=key, description=text)
    else:
        shown = update_progress_artifact(artifact, share, description=text)
    return cast(UUID, shown)  # outside of an event loop
