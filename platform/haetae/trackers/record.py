"""A run's record as trackers like it: flat settings, finite numbers, one row per sample; secrets masked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from haetae.core.canonical import Json, dumps
from haetae.core.generation import Failure, Generation
from haetae.core.ledger import SampleResult
from haetae.core.secrets import redact, redact_json
from haetae.core.tracker import RunRecord
from haetae.core.verdict import Estimate


def settings(record: RunRecord) -> dict[str, str]:
    """What fixes the run's numbers, flat: `suite.gate.alpha`, `target.model.base_url`, `metric.<name>`."""
    manifest = record.run.manifest
    known = {
        "suite": redact_json(dict(manifest.suite)),
        "dataset": redact_json(dict(manifest.dataset)),
        "target": redact_json(dict(manifest.target)),
        "metric": {name: redact(facts.text) for name, facts in manifest.metrics.items()},
        "epoch": redact(manifest.epoch),
        "manifest": manifest.digest,
        "seed": record.run.seed,
    }
    return dict(_flat("", known))


def _flat(path: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), inner)
    else:
        yield path, printable(value if isinstance(value, str) else dumps(value))


def numbers(record: RunRecord) -> dict[str, float]:
    """Every number of the run by its name, in the metric's own units; what is not finite is left out.

    `<metric>` is the estimate of the whole run, `<metric>/<key>=<value>` that of a slice, each with
    `.low`, `.high`, `.n` and `.unscored`; `<metric>.not_run` and `run/…` account for the rest.
    """
    out: dict[str, float | None] = {}
    for estimate in record.estimates:
        name = series(estimate)
        out |= {name: estimate.value, f"{name}.low": estimate.low, f"{name}.high": estimate.high}
        out |= {f"{name}.n": estimate.n, f"{name}.unscored": estimate.unscored}
    for account in record.accounting:
        out[f"{account.metric}.not_run"] = account.not_run
    spent = record.spent
    out |= {"run/calls": spent.calls, "run/tokens": spent.tokens, "run/cost_usd": spent.cost_usd}
    out |= {"run/reused": spent.reused, "run/retried": spent.retried}
    return {name: float(value) for name, value in out.items() if value is not None and math.isfinite(value)}


def without_value(record: RunRecord) -> list[str]:
    """The estimates that have no finite value, and so no number."""
    return [series(e) for e in record.estimates if e.value is None or not math.isfinite(e.value)]


def series(estimate: Estimate) -> str:
    """The name of an estimate: `rouge`, `rouge/language=ko`."""
    return f"{estimate.metric}/{estimate.slice}" if estimate.slice else estimate.metric


def verdict_facts(record: RunRecord) -> dict[str, str]:
    """The verdict in words; nothing when no comparison was made."""
    said = record.comparison
    if said is None:
        return {}
    facts = {
        "verdict": said.verdict.value,
        "reason": said.reason,
        "baseline": ", ".join(said.baseline),
        "moved": ", ".join(said.moved),
    }
    return {name: printable(redact(text)) for name, text in facts.items()}


def rows(results: Sequence[SampleResult], metrics: Sequence[str]) -> list[dict[str, Json]]:
    """One row per (sample, repeat); every row has every column, None where there is nothing.

    `reason` says why there is no answer; `<metric>.reason` why there is no score.
    """
    return [_row(result, metrics) for result in results]


def _row(result: SampleResult, metrics: Sequence[str]) -> dict[str, Json]:
    sample, answer = result.sample, result.generation.result if result.generation else None
    whole = sample.input if isinstance(sample.input, str) else dumps([m.as_json() for m in sample.input])
    references = sample.references[0] if len(sample.references) == 1 else dumps(list(sample.references))
    row: dict[str, Json] = {
        "sample_id": printable(sample.id),
        "repeat": result.repeat,
        "input": _text(whole),
        "output": None,
        "reference": _text(references) if sample.references else None,
        "reason": answer.reason if isinstance(answer, Failure) else None if answer else "not_run",
        "latency_s": None,
    }
    if isinstance(answer, Generation):
        row |= {"output": _text(answer.output), "latency_s": answer.latency_s}
    for metric in metrics:
        scored = result.scores.get(metric)
        row[metric] = scored.score.value if scored else None
        row[f"{metric}.reason"] = scored.score.reason if scored else None
        row[f"{metric}.explanation"] = _text(scored.score.explanation) if scored else None
    return row


def _text(value: str | None) -> str | None:
    return None if value is None else printable(redact(value))


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (a lone surrogate) written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()
