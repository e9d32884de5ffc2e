"""What a gate said, whichever door asked, in the one form that JUnit, Markdown and annotations are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.errors import ConfigError, Problem
from haetae.workbench.by_metric import columns_in_words, concluded, judged_in, withheld
from haetae.workbench.report import Report
from haetae.workbench.scores.report import ScoreReport


@dataclass(frozen=True)
class Said:
    """A gate's verdict on whatever is called `title`.

    `facts` are those of the gated metrics, in their order. `again` is the command that says the
    same again. `file` is where the gate is declared, "" for a gate without a file, and `lines` (from 1) where
    in it each metric is gated. `unscored` tells what lacks scores, a line each, and `cost` what was spent.
    `problems` are the places of a wrong input, for a gate that could not even start; `skipped` says that it was
    not meant to start, and the comparison's reason why.
    """

    title: str
    comparison: Comparison
    facts: Mapping[str, MetricFacts]
    again: str
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    unscored: Sequence[str] = ()
    cost: str = ""
    problems: Sequence[Problem] = ()
    skipped: bool = False


@dataclass(frozen=True)
class Case:
    """One gated metric (× slice): its verdict, the sentence for it, and its numbers where there are any."""

    metric: str
    slice: str
    verdict: Verdict
    text: str
    difference: Difference | None

    @property
    def name(self) -> str:
        """`faithful`, `faithful [language=ko]`."""
        return f"{self.metric} [{self.slice}]" if self.slice else self.metric


WHOLE = "gate"
"""What the one case is called of a gate that could not start."""


def said_of_report(report: Report, again: str, file: str = "", lines: Mapping[str, int] | None = None) -> Said:
    """What the gate of a suite said of a run."""
    manifest = report.run.manifest
    gated = manifest.suite.get("gate", {}).get("metrics", {})
    return Said(
        title=report.run.suite,
        comparison=concluded(report),
        facts={name: facts for name, facts in manifest.metrics.items() if name in gated},
        again=again,
        file=file,
        lines=lines or {},
        unscored=report.holes,
        cost=report.spent_line,
    )


def said_of_scores(report: ScoreReport, again: str) -> Said:
    """What the gate of two score files said."""
    lacking = [f"{name}: {remark}" for name, count in report.counts.items() for remark in count.remarks]
    return Said(report.comparison.candidate, report.comparison, report.facts, again, unscored=lacking)


def said_of_error(error: Exception, title: str, again: str) -> Said:
    """No verdict, for a gate that an error ended: what kind of error, and what it says."""
    if isinstance(error, ConfigError):
        return no_verdict(title, str(error), again, error.problems)
    return no_verdict(title, f"{type(error).__name__}: {error}", again)


def no_verdict(title: str, why: str, again: str, problems: Sequence[Problem] = ()) -> Said:
    """No verdict, for a gate without any numbers."""
    return Said(title, Comparison(title, "", (), Verdict.NO_VERDICT, why), {}, again, problems=problems)


def cases(said: Said) -> Iterator[Case]:
    """A case for each gated metric, and after it one for each of its gated slices."""
    if not said.facts:
        yield Case(WHOLE, "", said.comparison.verdict, said.comparison.reason, None)
    for metric in said.facts:
        columns = [d for d in said.comparison.differences if d.metric == metric]
        whole = next((d for d in columns if not d.slice), None)
        if whole is None or withheld(said.comparison):
            verdict, text = judged_in(said.comparison, said.facts, metric)
            yield Case(metric, "", verdict, text, whole)
        else:
            yield _case(whole, said.facts)
        yield from (_case(d, said.facts) for d in columns if d.slice)


def _case(d: Difference, facts: Mapping[str, MetricFacts]) -> Case:
    return Case(d.metric, d.slice, d.verdict, columns_in_words(d.verdict, [d], facts), d)
