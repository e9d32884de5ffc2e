"""One run on several machines: opened, worked on, concluded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.core.run import Run, RunStatus
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError
from haetae.workbench import resuming
from haetae.workbench.event_loop import run_to_end
from haetae.workbench.face.executing import Executing
from haetae.workbench.instead import Instead
from haetae.workbench.report import Report

if TYPE_CHECKING:
    from haetae.workbench.sharing.hand import Worked


class Shared(Executing):
    """Runs that several processes and machines work on. A part of the `Workbench`."""

    def share(
        self,
        suite: str | Path,
        *,
        shards: int | None = None,
        fresh: bool = False,
        skip_bad: bool = False,
        tags: Mapping[str, str] | None = None,
        model: str | None = None,
        prompt: str | None = None,
    ) -> Run:
        """Open a run that several processes and machines work on, in so many shards (default: as suits its size), or
        the unfinished one of the same manifest. Nothing is called: `work` does that, wherever it is called, and
        `resume` leads the run to its end. Gates that stop early do not stop a shared run; it is judged at its end."""
        instead = Instead(model, prompt)
        assembly = self._assemble(suite, skip_bad, instead=instead)
        try:
            origin = resuming.origin(assembly.loaded.path, self.settings.home, skip_bad, False, instead)
            return self._sharing.open(assembly, shards, fresh, {**(tags or {}), **origin})
        finally:
            run_to_end(assembly.aclose())

    def work(
        self, run_id: str | None = None, *, suite: str | Path | None = None, watcher: Watcher | None = None
    ) -> Worked:
        """Work on a shared run: shard after shard, until none is to be had any more.

        Default: the newest that has one that did not end. `suite` is its file, where that lies elsewhere on this
        machine than where the run was started. Raises ConfigError when there is no such run, and where its files differ
        here from what it was started with.
        """
        named = run_id or next(iter(self.ledger.open_to_work()), None)
        if named is None:
            raise ConfigError("there is no shared run to work on; haetae run SUITE --shards N starts one")
        run = self.ledger.run(named)
        self._must_be_shared(run)
        return run_to_end(self._work(run, suite, watcher))

    def conclude(self, run_id: str, *, suite: str | Path | None = None, track: bool = True) -> Report:
        """End a shared run of which all shards have ended: estimate, compare, tell the trackers, once, whoever else
        calls this. Raises ConfigError while a shard has not ended."""
        run = self.ledger.run(run_id)
        self._must_be_shared(run)
        if run.status is not RunStatus.FINISHED and (why := self._sharing.still_open(run)):
            raise ConfigError(why)
        return self._told(run_to_end(self._lead(run, suite, None)), track)

    def _must_be_shared(self, run: Run) -> None:
        if not self.ledger.shards(run.id):
            raise ConfigError(f"{run.id} is not shared among processes; haetae run SUITE --shards N starts one that is")
