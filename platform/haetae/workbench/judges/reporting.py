"""What the judges of a run were like: how often they failed, what they cost, how far they agree with themselves.

Of the ledger alone: nothing is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from haetae.catalog.explain import nearest
from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.ledger import Ledger
from haetae.core.metric import MetricFacts
from haetae.core.run import Accounting, GenerationRow, Run, RunStatus, ScoreRow
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.judges.suspicion import SUSPECTED
from haetae.workbench.judges.judge_report import Answers, JudgeReport, RunJudges
from haetae.workbench.judges.jurors import jurors
from haetae.workbench.judges.places import of_pairs, of_rotations
from haetae.workbench.judges.spread import spread
from haetae.workbench.judges.weighing import weighing
from haetae.workbench.unanswered import unscored

_LOOK_BACK = 50
"""How many runs back an earlier one of the same metric is looked for."""

Rows = Mapping[tuple[str, int], tuple[GenerationRow, Mapping[str, ScoreRow]]]


def report_judges(ledger: Ledger, run_id: str, metric: str | None = None) -> RunJudges:
    """Of each judged metric of a run, or of `metric`. Raises ConfigError where there is none."""
    run = ledger.run(run_id)
    judged = [name for name, facts in run.manifest.metrics.items() if facts.judge is not None]
    if metric is not None and metric not in judged:
        raise ConfigError(f"{run_id} has no judged metric {metric!r}{nearest(metric, judged)}; {_listed(judged)}")
    if not judged:
        raise ConfigError(f"{run_id} has no judged metric; it has {', '.join(run.manifest.metrics)}")
    rows, accounts = ledger.done(run_id), {account.metric: account for account in ledger.accounting(run_id)}
    names = judged if metric is None else [metric]
    return RunJudges(run_id, tuple(_report(ledger, run, name, accounts[name], rows) for name in names), _answers(rows))


def _report(ledger: Ledger, run: Run, metric: str, account: Accounting, rows: Rows) -> JudgeReport:
    facts = run.manifest.metrics[metric]
    own = {place: scores[metric] for place, (_, scores) in rows.items() if metric in scores}
    fresh = [row.score for row in own.values() if not row.reused and row.score.calls]
    scored = [row.score for row in own.values() if row.score.value is not None]
    models = ledger.reported_models(run.id).get(metric, frozenset())
    compared, before = _earlier(ledger, run, metric)
    moved = bool(models and before and models != before)
    by_sample = defaultdict(list)
    for (sample, _), row in own.items():
        if row.score.value is not None:
            by_sample[sample].append(row.score.value)
    costs = [score.cost_usd for score in fresh]
    return JudgeReport(
        metric=metric,
        text=facts.text,
        account=account,
        models=tuple(sorted(models)),
        calls=sum(score.calls for score in fresh),
        tokens=sum(score.usage.total for score in fresh if score.usage is not None),
        cost_usd=None if None in costs else float(sum(cost for cost in costs if cost is not None)),
        reused=sum(row.reused for row in own.values()),
        suspected=sum((row.score.explanation or "").startswith(SUSPECTED) for row in own.values()),
        unscored=tuple(one for one in unscored(ledger, run.id) if one.metric == metric),
        before=tuple(sorted(before)) if moved else (),
        compared=compared if moved else None,
        repeats=spread(list(by_sample.values()), facts),
        **_kind(facts, scored, _registered(run, metric)),
    )


def _registered(run: Run, metric: str) -> list[str]:
    """The versions that the suite's `models` of a metric named at the run's start."""
    spec = (run.manifest.suite.get("metrics") or {}).get(metric)
    models = spec.get("models", []) if isinstance(spec, dict) else []
    return [run.manifest.references.get(name, name) for name in models]


def _kind(facts: MetricFacts, scored: Sequence[Score], registered: Sequence[str]) -> dict[str, Json]:
    """What the statistics of a kind of judge tell, by the part of the report."""
    stats = [score.stats for score in scored if score.stats]
    match facts.text.partition("(")[0]:
        case "judge":
            return {"repeated": spread(stats, facts)}
        case "g_eval":
            return {"repeated": spread([single[1:] for single in stats], facts), "weighing": weighing(scored)}
        case "jury":
            return {"jury": jurors(stats, facts, registered)}
        case "pairwise":
            return {"places": of_pairs([score.stats for score in scored if score.calls])}  # not of the same text
        case "best_of":
            return {"places": of_rotations(stats)}
    return {}


def _earlier(ledger: Ledger, run: Run, metric: str) -> tuple[str | None, frozenset[str]]:
    """The last finished run before this one that has the metric, and what its judge called itself."""
    for other in ledger.runs(run.suite, limit=_LOOK_BACK):
        if other.number < run.number and other.status is RunStatus.FINISHED and metric in other.manifest.metrics:
            return other.id, ledger.reported_models(other.id).get(metric, frozenset())
    return None, frozenset()


def _answers(rows: Rows) -> Answers | None:
    """How the target's own answers to one sample vary; None where no sample was answered twice."""
    texts = defaultdict(list)
    for (sample, _), (row, _) in rows.items():
        if isinstance(row.result, Generation):
            texts[sample].append(row.result.output)
    several = [answers for answers in texts.values() if len(answers) > 1]
    if not several:
        return None
    return Answers(max(map(len, several)), len(several), sum(len({*answers}) > 1 for answers in several))


def _listed(judged: Sequence[str]) -> str:
    return f"it has {', '.join(judged)}" if judged else "it has none"
