"""The verdict on one gated metric: what a test, an annotation or a row of a report says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.workbench.grounds import of_passes
from haetae.workbench.report import Report
from haetae.workbench.words import moved, sentence

Facts = Mapping[str, MetricFacts]


def judged(report: Report, metric: str) -> tuple[Verdict, str]:
    """The verdict on a metric of a run, and the sentence for it."""
    return judged_in(concluded(report), report.run.manifest.metrics, metric)


def concluded(report: Report) -> Comparison:
    """The comparison of a run; where there is none, no verdict and why."""
    if report.comparison is not None:
        return report.comparison
    why = f"{report.run.id} is {report.run.status.value}. {report.run.note or ''}".rstrip()
    return Comparison(report.run.suite, report.run.id, (), Verdict.NO_VERDICT, why)


def judged_in(said: Comparison, facts: Facts, metric: str) -> tuple[Verdict, str]:
    """The verdict on a metric of a comparison, and the sentence for it; `facts` are its metrics'.

    A regression in a slice is one of the metric; a pass rests on the whole run. What withholds a pass
    from the comparison although every metric by itself would pass (errors on one side) withholds it
    from each of them.
    """
    verdict, columns = _own(said.differences, metric)
    if not columns:
        return Verdict.NO_VERDICT, next((w for w in said.warnings if w.startswith(f"{metric}: ")), said.reason)
    if withheld(said):
        return said.verdict, said.reason
    return verdict, columns_in_words(verdict, columns, facts)


def withheld(said: Comparison) -> bool:
    """Whether every metric by itself would pass, and the comparison does not."""
    metrics = {d.metric for d in said.differences}
    return said.verdict is not Verdict.PASS and all(
        _own(said.differences, metric)[0] is Verdict.PASS for metric in metrics
    )


def columns_in_words(verdict: Verdict, columns: Sequence[Difference], facts: Facts) -> str:
    """The sentence for columns of one metric, which have this verdict."""
    first = columns[0]
    if verdict is Verdict.REGRESSION or first.delta is None:
        return sentence(verdict, columns, facts)
    change = f"{moved(first, facts[first.metric])}."
    if verdict is Verdict.PASS:
        return f"{change}{of_passes(columns, facts)}"
    return f"{change} {sentence(verdict, columns, facts)}"


def _own(differences: Sequence[Difference], metric: str) -> tuple[Verdict, list[Difference]]:
    """The verdict on a metric by its own columns, and the columns that say so."""
    columns = [d for d in differences if d.metric == metric]
    if fallen := [d for d in columns if d.verdict is Verdict.REGRESSION]:
        return Verdict.REGRESSION, fallen
    whole = [d for d in columns if not d.slice]
    return (whole[0].verdict if whole else Verdict.NO_VERDICT), whole
