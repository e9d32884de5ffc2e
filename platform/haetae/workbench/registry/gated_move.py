"""What came of promoting a version: what each suite's gate said, and whether the alias moved."""

from __future__ import annotations

from dataclasses import dataclass

from haetae.core.canonical import Json
from haetae.core.registry import AliasMove, Version
from haetae.core.verdict import Verdict
from haetae.workbench.report import MARKS, Report, one_line
from haetae.workbench.words import counted

_WORST = (2, 1, 3)
"""Exit codes, the worst first: wrong input, a regression, no verdict."""


@dataclass(frozen=True)
class Gated:
    """What the gate of one suite said of a candidate, or `why` it could say nothing, and with which exit code."""

    suite: str
    report: Report | None = None
    why: str | None = None
    code: int = Verdict.NO_VERDICT.exit_code

    @property
    def passed(self) -> bool:
        """Whether the gate let the candidate through."""
        return self.report is not None and self.report.verdict is Verdict.PASS

    @property
    def exit_code(self) -> int:
        """0 where it passed, else that of the gate; an inconclusive verdict is 3, for nothing was shown."""
        return self.code if self.report is None else self.report.exit_code_when(strict=True)

    @property
    def verdict(self) -> Verdict:
        """The verdict; there is none where nothing was gated, and of a run that did not finish."""
        return (self.report and self.report.verdict) or Verdict.NO_VERDICT

    @property
    def text(self) -> str:
        """The verdict in a line."""
        said = f"{MARKS[self.verdict]} {self.suite}: {self.verdict.value.upper()}"
        if self.report is None:
            return f"{said}  {self.why}"
        comparison, run = self.report.comparison, self.report.run
        against = f" against {comparison.baseline[0]}" if comparison and comparison.baseline else ""
        return f"{said}  {run.id}{against}: {comparison.reason if comparison else run.note or run.status.value}"

    def as_json(self) -> Json:
        """The verdict for scripts."""
        run = None if self.report is None else self.report.run.id
        return {"suite": self.suite, "run": run, "verdict": self.verdict.value, "why": self.why}


@dataclass(frozen=True)
class GatedMove:
    """The candidate, the alias that was to move to it, what the gates said, and the move where there was one.

    `before` is where the alias pointed. `baselines` are the runs that became baselines with it.
    """

    candidate: Version
    alias: str
    before: int | None
    gated: tuple[Gated, ...] = ()
    move: AliasMove | None = None
    baselines: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether the alias points at the candidate."""
        return self.move is not None or self.before == self.candidate.number

    @property
    def exit_code(self) -> int:
        """0 where the alias points at the candidate, else the worst of the gates."""
        if self.stands:
            return 0
        return min((gated.exit_code for gated in self.gated if gated.exit_code), key=_WORST.index, default=3)

    @property
    def text(self) -> str:
        """What came of it, for people."""
        return "\n".join(one_line(line) for line in [*(gated.text for gated in self.gated), *self._outcome()])

    def _outcome(self) -> list[str]:
        name = f"{self.candidate.name}@{self.alias}"
        if self.move is None:
            if self.stands:
                return [f"{name} is {self.candidate.reference} already"]
            failed = sum(not gated.passed for gated in self.gated)
            return [
                f"{name} stays at {self.before or 'no version'}: {failed} of {counted(len(self.gated), 'suite')} did "
                f"not pass. To move it none the less: --force --reason WHY"
            ]
        lines = [f"{self.move.text}" + (f" (overruled: {self.move.reason})" if self.move.reason else "")]
        lines += [f"{run} is the baseline now" for run in self.baselines]
        for gated in self.gated:
            said = gated.report.comparison if gated.report else None
            if said and "decoding" in said.moved and not self.baselines:
                lines.append(
                    f"{gated.suite}: the model decodes otherwise than its baseline's did, so its next runs have no "
                    f"verdict until haetae promote {said.candidate}{'' if gated.passed else ' --force --reason WHY'}"
                )
        return lines

    def as_json(self) -> Json:
        """The same for scripts."""
        return {
            "kind": self.candidate.kind,
            "candidate": self.candidate.reference,
            "alias": self.alias,
            "before": self.before,
            "moved": self.move is not None,
            "reason": self.move.reason if self.move else None,
            "suites": [gated.as_json() for gated in self.gated],
            "baselines": list(self.baselines),
        }
