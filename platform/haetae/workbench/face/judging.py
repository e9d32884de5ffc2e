"""Judges beside people, and under attack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from haetae.workbench.event_loop import run_to_end
from haetae.workbench.face.parts import Parts

if TYPE_CHECKING:
    from haetae.workbench.judges.agreeing import Agreeing
    from haetae.workbench.judges.attack_report import AttackReport
    from haetae.workbench.judges.correcting import CorrectedMetric
    from haetae.workbench.judges.judge_report import RunJudges


class Judged(Parts):
    """Human labels, and how far a judge can be trusted. A part of the `Workbench`."""

    def annotate(self, run_id: str, file: str | Path) -> int:
        """Keep the human labels in a file (`catalog.label_file`) with a run's answers; how many there were."""
        from haetae.workbench.judges import labelling

        return labelling.annotate(self.ledger, run_id, Path(file), self._clock.now())

    def correct(self, run_id: str, metric: str | None = None) -> list[CorrectedMetric]:
        """What people would have said of all answers of a run, by its judge and the labels of a random part.

        Of every judged metric, or of `metric`. The labelled samples must be drawn at random from all.
        """
        from haetae.workbench.judges import labelling

        return labelling.correct_run(self.ledger, run_id, metric)

    def judges(self, run_id: str, metric: str | None = None) -> RunJudges:
        """How the judges of a run did: failures, spending, spread, agreement of juries, position bias."""
        from haetae.workbench.judges.reporting import report_judges

        return report_judges(self.ledger, run_id, metric)

    def agreement(self, run_id: str, metric: str | None = None) -> list[Agreeing]:
        """How far a run's judge and the people who labelled it agree, and people among themselves."""
        from haetae.workbench.judges import labelling

        return labelling.agreement_in_run(self.ledger, run_id, metric)

    def attack(self, suite: str | Path, metric: str, *, limit: int = 3, tolerance: float = 0.1) -> AttackReport:
        """Attack the judge of a suite's metric with all attacks that ship, each on `limit` bad answers.

        An attack succeeds by a score better by more than `tolerance`, a share of the scale. The target is not
        called, and nothing is kept.
        """
        return run_to_end(self._attack(suite, metric, limit, tolerance))

    async def _attack(self, suite: str | Path, metric: str, limit: int, tolerance: float) -> AttackReport:
        from haetae.workbench.judges.attacking import attack

        assembly = self._assemble(suite)
        try:
            return await attack(metric, assembly.metrics, list(assembly.dataset), limit=limit, tolerance=tolerance)
        finally:
            await assembly.aclose()
