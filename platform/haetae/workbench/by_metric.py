"""The verdict on one gated metric: what a test, an annotation or a row of a report says."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.verdict import Difference, Verdict
from haetae.workbench.report import Report
from haetae.workbench.words import moved, sentence


def judged(report: Report, metric: str) -> tuple[Verdict, str]:
    """The verdict on a metric of a run, and the sentence for it.

    A regression in a slice is one of the metric; a pass rests on the whole run. What withholds a pass
    from the comparison although every metric by itself would pass (errors on one side) withholds it
    from each of them.
    """
    said = report.comparison
    if said is None:
        return Verdict.NO_VERDICT, f"{report.run.id} is {report.run.status.value}. {report.run.note or ''}".rstrip()
    verdict, columns = _own(said.differences, metric)
    if not columns:
        return Verdict.NO_VERDICT, said.reason
    if said.verdict is not Verdict.PASS and _all_pass(said.differences):
        return said.verdict, said.reason
    return verdict, _sentence(verdict, columns, report)


def _own(differences: Sequence[Difference], metric: str) -> tuple[Verdict, list[Difference]]:
    """The verdict on a metric by its own columns, and the columns that say so."""
    columns = [d for d in differences if d.metric == metric]
    if fallen := [d for d in columns if d.verdict is Verdict.REGRESSION]:
        return Verdict.REGRESSION, fallen
    whole = [d for d in columns if not d.slice]
    return (whole[0].verdict if whole else Verdict.NO_VERDICT), whole


def _all_pass(differences: Sequence[Difference]) -> bool:
    return all(_own(differences, metric)[0] is Verdict.PASS for metric in {d.metric for d in differences})


def _sentence(verdict: Verdict, columns: Sequence[Difference], report: Report) -> str:
    facts, first = report.run.manifest.metrics, columns[0]
    if verdict is Verdict.REGRESSION or first.delta is None:
        return sentence(verdict, columns, facts)
    change = f"{moved(first, facts[first.metric])}."
    return change if verdict is Verdict.PASS else f"{change} {sentence(verdict, columns, facts)}"
