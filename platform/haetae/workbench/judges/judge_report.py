"""The report on the judges of a run: its figures, and how they read."""

from __future__ import annotations

from dataclasses import dataclass

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.run import Accounting, Unscored
from haetae.metrics.judges.suspicion import SUSPECTED
from haetae.workbench.gating import MAX_JUDGE_FAILURES
from haetae.workbench.judges.jurors import Jurors
from haetae.workbench.judges.places import Places
from haetae.workbench.judges.spread import Spread
from haetae.workbench.judges.weighing import Weighing
from haetae.workbench.report import one_line
from haetae.workbench.unanswered import unscored_lines
from haetae.workbench.words import counted


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """One judged metric of a run.

    `models` are the names that the judge's endpoint gave itself, `before` those of the earlier run `compared`
    where they were others. `calls`, `tokens` and `cost_usd` are what this run spent (cost None where a price is
    unknown); `reused` counts scores of an earlier run, `suspected` answers that speak to the judge. `unscored` has an
    example of each reason for which scores are missing. `repeated` is the spread of one answer judged several
    times, `repeats` that of one sample answered several times.
    """

    metric: str
    text: str
    account: Accounting
    models: tuple[str, ...]
    calls: int
    tokens: int
    cost_usd: float | None
    reused: int
    suspected: int = 0
    unscored: tuple[Unscored, ...] = ()
    before: tuple[str, ...] = ()
    compared: str | None = None
    repeated: Spread | None = None
    repeats: Spread | None = None
    jury: Jurors | None = None
    places: Places | None = None
    weighing: Weighing | None = None

    @property
    def failed(self) -> int:
        """How many answers the judge failed on."""
        return sum(count for reason, count in self.account.unscored.items() if reason in reasons.JUDGE_FAULTS)

    @property
    def warnings(self) -> list[str]:
        """What makes these scores doubtful."""
        found, done = [], self.account.total - self.account.not_run
        if self.failed > MAX_JUDGE_FAILURES * done:
            found.append(f"the judge failed on {self.failed} of {done}: a gate on this metric gives no verdict")
        if self.suspected:
            speaking = "1 answer speaks" if self.suspected == 1 else f"{self.suspected} answers speak"
            found.append(f"{speaking} to the judge: look at those marked {SUSPECTED}")
        if self.before:
            names = ", ".join(self.before), ", ".join(self.models)
            found.append(f"the judge called itself {names[0]} in {self.compared} and {names[1]} now")
        if len(self.models) > 1 and self.jury is None:
            found.append(f"{len(self.models)} different models answered as this judge")
        if self.places is not None and self.places.biased:
            found.append(
                "the judge favours a place: every order is asked, so nobody gains by it, but differences look smaller"
            )
        if self.weighing is not None and self.weighing.weighted and self.weighing.sampled:
            found.append("some scores are weighted and some sampled: they do not have the same spread")
        if self.weighing is not None and self.weighing.steps is not None:
            found.append("the judge wrote its own steps; name them with steps: so that later runs judge by the same")
        return found

    def as_json(self) -> Json:
        """The report for scripts; a part that does not apply is null."""
        parts = ("repeated", "repeats", "jury", "places", "weighing")
        said = {name: getattr(self, name) for name in parts}
        return {
            "metric": self.metric,
            "text": self.text,
            "total": self.account.total,
            "scored": self.account.scored,
            "unscored": dict(self.account.unscored),
            "not_run": self.account.not_run,
            "examples": [lacking.as_json() for lacking in self.unscored],
            "judge_failures": self.failed,
            "models": list(self.models),
            "models_before": list(self.before),
            "calls": self.calls,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "reused": self.reused,
            "suspected_injections": self.suspected,
            **{name: None if part is None else part.as_json() for name, part in said.items()},
            "warnings": self.warnings,
        }

    @property
    def lines(self) -> list[str]:
        """The report for people."""
        lines = [f"{self.metric}: {self.text}, judged by {', '.join(self.models) or 'a model that gave no name'}"]
        lines += [f"  {self._counts}", *(f"  {lacking}" for lacking in unscored_lines(self.unscored))]
        lines.append(f"  {self._bill}")
        if self.repeated is not None:
            lines.append(f"  judged up to {self.repeated.times} times: {self.repeated.text('answers')}")
        if self.repeats is not None:
            lines.append(f"  answered up to {self.repeats.times} times: {self.repeats.text('samples')}")
        lines += [f"  {part.text}" for part in (self.jury, self.places, self.weighing) if part is not None]
        lines += [f"  ! {warning}" for warning in self.warnings]
        return [*map(one_line, lines), *(f"    {step}" for step in self._steps)]

    @property
    def _steps(self) -> list[str]:
        steps = None if self.weighing is None else self.weighing.steps
        return [] if steps is None else [*map(one_line, steps.splitlines())]

    @property
    def _counts(self) -> str:
        done = self.account.total - self.account.not_run
        none = ", ".join(f"{why} {_of(count, done)}" for why, count in sorted(self.account.unscored.items()))
        rest = f"; {self.account.not_run} not run" if self.account.not_run else ""
        return f"scored {_of(self.account.scored, done)} of {done}{f'; unscored: {none}' if none else ''}{rest}"

    @property
    def _bill(self) -> str:
        cost = "cost unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        again = f"; {counted(self.reused, 'score')} reused" if self.reused else ""
        return f"{counted(self.calls, 'call')}, {counted(self.tokens, 'token')}, {cost}{again}"


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to samples that were asked several times: how often they were not one text."""

    times: int
    samples: int
    differing: int

    @property
    def text(self) -> str:
        """The count as one line."""
        return f"{self.differing} of {self.samples} samples, each asked up to {self.times} times, got differing answers"


@dataclass(frozen=True, slots=True)
class RunJudges:
    """The judges of a run, and how its target's own answers vary."""

    run: str
    judges: tuple[JudgeReport, ...]
    answers: Answers | None

    def as_json(self) -> Json:
        """The report for scripts."""
        asked = self.answers
        repeats = asked and {"times": asked.times, "samples": asked.samples, "differing_answers": asked.differing}
        return {"run": self.run, "repeats": repeats, "results": [judge.as_json() for judge in self.judges]}

    @property
    def text(self) -> str:
        """The report for people."""
        own = [] if self.answers is None else [f"{self.run}: {self.answers.text}"]
        return "\n".join([*own, *(line for judge in self.judges for line in judge.lines)])


def _of(count: int, total: int) -> str:
    return f"{count} ({count / total:.1%})" if total else str(count)
