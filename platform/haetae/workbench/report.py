"""What a run returns to its door, and how it reads as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.core.run import Accounting, Run, RunStatus, Spent, Unanswered, Unscored
from haetae.core.verdict import Comparison, Difference, Estimate, Verdict
from haetae.engine.patience.later import may_pass
from haetae.workbench.columns import aligned
from haetae.workbench.course import course_json, course_lines
from haetae.workbench.instead import Instead
from haetae.workbench.interrupted import by_a_signal
from haetae.workbench.unanswered import unanswered_lines, unscored_lines
from haetae.workbench.words import counted, figure, interval, of_slices, points, pooled, tolerance

if TYPE_CHECKING:
    from haetae.workbench.judges.spread import Spread
    from haetae.workbench.watch import Watched

_MOST_SLICES = 40
"""Numbers of slices that a report shows; where there are more it shows those of whole metrics alone."""
MARKS = {Verdict.PASS: "✓", Verdict.REGRESSION: "✗", Verdict.INCONCLUSIVE: "?", Verdict.NO_VERDICT: "–"}


@dataclass(frozen=True)
class Report:
    """A run, its estimates, and what was said of it. `notes` are for people: what trackers did, what to do next;
    `failures` say why answers are missing, by reason; `unscored` why scores are, by metric and reason; `repeats`
    how far a metric varies over the repeats of one sample; `killed` that nobody works on a run that did not end.
    `alarms` are those of the watch over scheduled runs when this one, scheduled, had ended; else None."""

    run: Run
    estimates: Sequence[Estimate]
    accounting: Sequence[Accounting]
    spent: Spent
    comparison: Comparison | None = None
    notes: Sequence[str] = field(default_factory=tuple)
    failures: Sequence[Unanswered] = ()
    unscored: Sequence[Unscored] = ()
    repeats: Mapping[str, Spread] = field(default_factory=dict)
    killed: bool = False
    alarms: Sequence[Watched] | None = None

    @property
    def status(self) -> str:
        """Where the run stands, in a word."""
        return "killed" if self.killed else self.run.status.value

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, None for a suite that declares no gate."""
        if self.comparison is not None:
            return self.comparison.verdict
        return None

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regression, 3 no verdict or an unfinished run. Of a suite without a gate 0, and 3 where nothing
        was scored."""
        return self.exit_code_when(strict=False)

    def exit_code_when(self, strict: bool) -> int:
        """The same, and 3 for an inconclusive verdict when `strict`."""
        if self.run.status is not RunStatus.FINISHED:
            return 3
        if self.verdict is None:
            return 3 if self.is_scoreless else 0
        return exit_code(self.verdict, strict)

    @property
    def sounded(self) -> Sequence[Watched]:
        """The alarms that this very run has raised."""
        return [watched for watched in self.alarms or () if watched.alarm.detected_at == self.run.id]

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody ended the run with Ctrl-C or SIGTERM."""
        return by_a_signal(self.run)

    @property
    def may_pass(self) -> bool:
        """Whether what stopped the run may pass, as an endpoint that is away: who goes on with it asks what is left."""
        return self.run.status is RunStatus.STOPPED and may_pass(self.run.note)

    @property
    def is_scoreless(self) -> bool:
        """Whether no metric has a single score: nothing can be said of such a run."""
        return bool(self.accounting) and not any(account.scored for account in self.accounting)

    def markdown(self, again: str) -> str:
        """What the gate said, as Markdown in which all that data and models wrote is text; `again` is the command that
        says the same again."""
        from haetae.workbench.ci.markdown import markdown  # a run at a terminal needs none of it
        from haetae.workbench.ci.said import said_of_report

        return markdown(said_of_report(self, again))

    def as_json(self) -> Json:
        """The report for scripts."""
        return {
            "run": self.run.id,
            "suite": self.run.suite,
            "status": self.status,
            "note": self.run.note,
            "verdict": None if self.verdict is None else self.verdict.value,
            "dataset": dict(self.run.manifest.dataset),
            "references": dict(self.run.manifest.references),
            "instead": dict(Instead.of_run(self.run).given),
            "total": self.run.total,
            "metrics": {name: facts.as_json() for name, facts in self.run.manifest.metrics.items()},
            "estimates": [estimate.as_json() for estimate in self.estimates],
            "comparison": None if self.comparison is None else self.comparison.as_json(),
            "accounting": [
                {
                    "metric": a.metric,
                    "total": a.total,
                    "scored": a.scored,
                    "unscored": dict(a.unscored),
                    "not_run": a.not_run,
                }
                for a in self.accounting
            ],
            "failures": [failure.as_json() for failure in self.failures],
            "unscored": [lacking.as_json() for lacking in self.unscored],
            "repeats": {metric: spread.as_json() for metric, spread in self.repeats.items()},
            "spent": {
                "calls": self.spent.calls,
                "tokens": self.spent.tokens,
                "cost_usd": rounded(self.cost_usd),
                "unpriced_calls": self.spent.unpriced_calls,
                "reused": self.spent.reused,
                "retried": self.spent.retried,
                "reused_judgements": self.spent.reused_judgements,
                "saved_usd": rounded(self.spent.saved_usd),
            },
            "course": course_json(self.run.course),
            "notes": list(self.notes),
        }

    @cached_property
    def text(self) -> str:
        """The report as plain text for a terminal or a log."""
        run = self.run
        data = run.manifest.dataset
        held = f"{data['name']} ({counted(data['count'], 'sample')}, {data['version'][:19]})"
        lines = [
            f"{run.id}  {self.status}  {held}",
            *([f"  go on with it: haetae resume {run.id}"] if self.killed else []),
            *([f"  {run.note}"] if run.note else []),
            *(f"  target.{field}: {text}, instead of the suite's" for field, text in Instead.of_run(run).given.items()),
            *(["  nothing was scored"] if self.is_scoreless else []),
            *(f"  {written} = {pinned}" for written, pinned in run.manifest.references.items() if written != pinned),
            "",
            *_indented(("metric", "value", "95 % interval", "n", "unscored"), map(self._estimate_row, self._shown())),
            *(
                [f"  and {counted(more, 'number')} of slices: haetae show {run.id} --json"]
                if (more := self._more)
                else []
            ),
            *(f"  {hole}" for hole in self.holes),
            *(f"  {lacking}" for lacking in unscored_lines(self.unscored)),
            *(f"  {failed}" for failed in unanswered_lines(self.failures)),
            *(f"  {metric}: {spread.text('samples')}" for metric, spread in self.repeats.items()),
            "",
            f"  {self.spent_line}",
            *(f"  {line}" for line in course_lines(self.run.course, self.run.id)),
        ]
        if self.comparison is not None:
            lines += ["", *comparison_lines(self.comparison, run.manifest.metrics)]
        return "\n".join(map(one_line, [*lines, *(f"  {note}" for note in self.notes)]))

    def _shown(self) -> list[Estimate]:
        """The estimates of whole metrics, each with those of its slices where they are not too many."""
        return [estimate for estimate in self.estimates if not (estimate.slice and self._more)]

    @property
    def _more(self) -> int:
        slices = sum(bool(estimate.slice) for estimate in self.estimates)
        return slices if slices > _MOST_SLICES else 0

    def _estimate_row(self, estimate: Estimate) -> tuple[str, ...]:
        ends = (estimate.low, estimate.high)
        interval = "" if None in ends else " to ".join(map(figure, ends))
        name = f"  {estimate.slice}" if estimate.slice else estimate.metric
        return name, figure(estimate.value), interval, f"{estimate.n:,}", f"{estimate.unscored:,}"

    @property
    def holes(self) -> list[str]:
        """A line for the metrics that lack the same scores: how many there are, and why the others are not."""
        lacking: dict[str, list[str]] = {}
        for account in self.accounting:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(account.unscored.items()))
            if account.not_run:
                reasons = ", ".join(filter(None, (reasons, self._not_run(account.not_run))))
            if reasons:
                lacking.setdefault(f"{account.scored:,} of {account.total:,} scored; {reasons}", []).append(
                    account.metric
                )
        return [f"{', '.join(metrics)}: {why}" for why, metrics in lacking.items()]

    def _not_run(self, count: int) -> str:
        decided = self.comparison is not None and self.comparison.note and self.run.status is RunStatus.FINISHED
        return f"not asked {count:,} (the gate had decided)" if decided else f"not run {count:,}"

    @property
    def cost_usd(self) -> float | None:
        """What the run cost: nothing where it made no call, None where no call has a known price."""
        return self.spent.cost_usd if self.spent.calls else 0.0

    @property
    def spent_line(self) -> str:
        """Calls, tokens, dollars, and what was reused or asked again."""
        spent = self.spent
        cost = "cost unknown" if spent.cost_usd is None else f"${spent.cost_usd:.4f}"
        if spent.cost_usd is not None and spent.unpriced_calls:
            cost += f" and {counted(spent.unpriced_calls, 'call')} of unknown price"
        judged = f" and {counted(spent.reused_judgements, 'judgement')}" if spent.reused_judgements else ""
        saved = f" (they had cost ${spent.saved_usd:,.4f})" if spent.saved_usd else ""
        reused = f"{counted(spent.reused, 'answer')}{judged} reused{saved}"
        if not spent.calls:
            return f"no calls, nothing spent; {reused}"
        again = f"{reused}, {spent.retried:,} retried"
        return f"{counted(spent.calls, 'call')}, {counted(spent.tokens, 'token')}, {cost}; {again}"


def rounded(usd: float | None) -> float | None:
    """Money for scripts: to a billionth of a dollar, so that sums show no dust of binary fractions."""
    return None if usd is None else round(usd, 9)


def exit_code(verdict: Verdict, strict: bool) -> int:
    """What a command-line door exits with."""
    return 3 if strict and verdict is Verdict.INCONCLUSIVE else verdict.exit_code


def comparison_lines(comparison: Comparison, facts: Mapping[str, MetricFacts]) -> list[str]:
    """A comparison as lines of text; `facts` are those of its candidate's metrics."""
    verdict = comparison.verdict
    against = f"  against {comparison.baseline[0]}" if comparison.baseline else ""
    lines = [f"{MARKS[verdict]} {verdict.value.upper()}{against}{pooled(comparison)}", f"  {comparison.reason}"]
    if comparison.note:
        lines.append(f"  {comparison.note[0].upper()}{comparison.note[1:]}.")
    if comparison.restricted:
        lines.append("  Restricted: the runs differ where they must not; only their common samples were compared.")
    if comparison.differences:
        lines += ["", *_indented(_COLUMNS, (_difference_row(d, facts) for d in comparison.differences))]
        lines += [*([f"  {slices}"] if (slices := of_slices(comparison)) else []), ""]
    lines += [f"  changed  {change}" for change in comparison.changed]
    if comparison.moved:
        lines.append(f"  what moved: {', '.join(comparison.moved)}")
    lines += [f"  ! {warning}" for warning in comparison.warnings]
    if verdict is Verdict.REGRESSION and comparison.movers:
        lines.append("  samples that moved most:")
        lines += [
            f"    {_plain(m.sample_id)}  {m.metric} {figure(m.baseline)} → {figure(m.candidate)}"
            for m in comparison.movers
        ]
    return [one_line(line) for line in lines]


def one_line(text: str) -> str:
    """The text with its line ends escaped: what a dataset or an endpoint says cannot write a line of a report."""
    return "".join(ascii(letter)[1:-1] if letter in _LINE_ENDS else letter for letter in text)


_LINE_ENDS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


_COLUMNS = ("", "metric", "difference", "95 % interval", "tolerance", "p (adj.)", "n", "")


def _difference_row(d: Difference, facts: Mapping[str, MetricFacts]) -> tuple[str, ...]:
    metric_facts = facts[d.metric]
    name = f"{d.metric} {d.slice}".strip()
    if d.delta is None:
        return MARKS[d.verdict], name, "none", "", "", "", str(d.n), d.note
    change, around = points(d.delta, metric_facts, sign=True), interval(d, metric_facts)
    p = "" if d.p_drop_adjusted is None else _p(d.p_drop_adjusted)
    return MARKS[d.verdict], name, change, around, tolerance(d, metric_facts), p, str(d.n), d.note


def _indented(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in aligned(header, rows)]


def _p(probability: float) -> str:
    return "<0.001" if probability < 0.001 else f"{probability:.3f}"


def _plain(text: str) -> str:
    """An id for a terminal or a log: control characters escaped, and in quotes what a CI runner would obey."""
    shown = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return f"'{shown}'" if shown.lstrip().startswith(("::", "##[")) else shown
