"""What becomes the measure: a run as baseline, a version behind an alias, each through its gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.core.reference import Kind
from haetae.core.run import Run, RunStatus
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError
from haetae.workbench.face.evaluating import Evaluating

if TYPE_CHECKING:
    from haetae.workbench.registry.gated_move import GatedMove


class Promoting(Evaluating):
    """Promotes runs and versions. A part of the `Workbench`."""

    def promote(self, run_id: str, baseline: str = "production", *, reason: str | None = None) -> Run:
        """Make a finished run the baseline of its suite.

        Raises ConfigError for a run that is not finished, for one whose gated metrics have too few scores for its gate:
        every comparison with it would end without a verdict; and for one whose verdict against the present baseline is
        no pass, unless there is a `reason` to overrule it, which is kept. Raises StoreError, and moves nothing, where
        another run became the baseline since: with that one it was not compared.
        """
        run = self.ledger.run(run_id)
        if run.status is not RunStatus.FINISHED:
            raise ConfigError(f"{run.id} is {run.status.value}; only a finished run can be a baseline")
        overruled, still = None, None
        if run.manifest.suite.get("gate"):
            from haetae.workbench.registry.overruling import given
            from haetae.workbench.registry.promoting_runs import refusal

            before = self.ledger.baseline(run.suite, baseline)  # read before the gate reads it: what moves is seen
            still = {baseline: before.id if before else None}
            gate = self._gate(self._gate_of(run), run)
            if why := gate.unfit(run):
                raise ConfigError(f"{why}; a baseline needs these scores: mend that and run the suite again")
            if (refused := refusal(self.ledger, gate, run, baseline)) and not given(reason):
                raise refused
            overruled = given(reason) if refused else None
        self.ledger.promote(run.suite, baseline, run.id, self._clock.now(), overruled, still=still)
        return run

    def promote_version(
        self,
        kind: Kind,
        reference: str,
        alias: str,
        suites: Sequence[str | Path] = (".",),
        *,
        reason: str | None = None,
        baseline: bool = False,
        watcher: Watcher | None = None,
        track: bool = True,
    ) -> GatedMove:
        """Gate a model or prompt in every suite that uses `name@alias`, and move the alias to it where all pass.

        The suites are looked for in files and folders. With a `reason` that can be read it moves whatever they say, and
        the reason is kept. It moves only if alias and reference still mean what they meant when the gates began. With
        `baseline` the runs that were gated become the baselines of their suites; without it those stay the measure, so
        that small drops, each tolerated, cannot add up. Raises ConfigError where no suite uses it, RegistryError where
        somebody was faster.
        """
        from haetae.workbench.registry.promoting_versions import promote_version

        return promote_version(
            self,
            self._clock,
            kind,
            reference,
            alias,
            [Path(place) for place in suites],
            reason=reason,
            baseline=baseline,
            watcher=watcher,
            track=track,
        )
