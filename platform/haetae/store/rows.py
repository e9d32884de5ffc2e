"""Values to rows and back. Numbers that are not finite are refused here, before any SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from haetae.core.canonical import Json, digest, dumps
from haetae.core.generation import Failure, Generation, Usage, generation_from_json
from haetae.core.run import GenerationRow, LimitChange, Run, RunStatus, ScoreRow, Unkept, manifest_from_json
from haetae.core.sample import Sample, sample_from_json
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store.columns import escape

Row = Mapping[Any, Any]
"""A row by the names of its columns."""

SAMPLE_COLUMNS: Final = ("digest", "search", "facets", "payload")
GENERATION_COLUMNS: Final = (
    *("run_id", "sample_id", "repeat", "position", "key", "sample_digest", "reason", "output", "output_digest"),
    *("payload", "attempts", "model", "tokens", "cost_usd", "latency_s", "reused", "created_at"),
)
SCORE_COLUMNS: Final = (
    *("run_id", "sample_id", "repeat", "metric", "key", "value", "reason", "stats", "explanation"),
    *("usage", "model", "calls", "tokens", "cost_usd", "reused", "created_at"),
)
"""The columns that are written, each list in the order of its table."""


def sample_values(sample: Sample) -> tuple[Any, ...]:
    """A sample as a row of `sample`, as drivers take it: see `SAMPLE_COLUMNS`."""
    turns = [sample.input] if isinstance(sample.input, str) else [message.content for message in sample.input]
    search = escape("\n".join([*turns, *sample.references]))
    if not sample.metadata:
        return sample.digest, search, "{}", sample.canonical.decode()
    payload = sample.as_json()
    facets = payload.pop("metadata")
    return sample.digest, search, dumps(facets), dumps(payload)


def read_sample(payload: Json, facets: Json) -> Sample:
    """Read back what `sample_values` wrote."""
    return sample_from_json({**payload, "metadata": facets})


def generation_values(run_id: str, row: GenerationRow, at: Any) -> list[Any]:
    """An answer as a row of `generation`, as drivers take it: see `GENERATION_COLUMNS`; its position is yet to be set.

    `at` is a time as the driver takes it. Raises StoreError for NaN and infinity.
    """
    result, payload = row.result, row.result.as_json()
    output = output_digest = ""
    reason = model = tokens = cost = latency = None
    if isinstance(result, Generation):
        if result.cost_usd is not None or result.latency_s is not None or result.recorded_scores or result.logprobs:
            numbers: tuple[Any, ...] = (result.cost_usd, result.latency_s, *result.recorded_scores.values())
            _refuse_not_finite(row.sample_id, "the generation", *numbers, *(result.logprobs or ()))
        output = escape(payload.pop("output"))
        output_digest = digest(result.output, payload.get("contexts"))
        tokens, cost, latency = _total(result.usage), _real(result.cost_usd), _real(result.latency_s)
        model = None if result.model is None else escape(result.model)
    else:
        reason = result.reason
    return [
        escape(run_id),
        escape(row.sample_id),
        row.repeat,
        None,
        row.key,
        row.sample_digest,
        reason,
        output,
        output_digest,
        dumps(payload),
        result.attempts,
        model,
        tokens,
        cost,
        latency,
        row.reused,
        at,
    ]


def read_generation(row: Row) -> GenerationRow:
    """Read back what `generation_values` wrote."""
    payload = row["payload"]
    result: Generation | Failure
    result = generation_from_json(payload if row["reason"] is not None else {**payload, "output": row["output"]})
    return GenerationRow(
        row["sample_id"], row["repeat"], row["key"], row["sample_digest"], result, reused=bool(row["reused"])
    )


def score_values(run_id: str, row: ScoreRow, at: Any) -> tuple[Any, ...]:
    """A score as a row of `score`, as drivers take it: see `SCORE_COLUMNS`.

    `at` is a time as the driver takes it. Raises StoreError for NaN and infinity.
    """
    score = row.score
    _refuse_not_finite(row.sample_id, f"the score of {row.metric}", score.value, score.cost_usd, *score.stats)
    return (
        escape(run_id),
        escape(row.sample_id),
        row.repeat,
        escape(row.metric),
        row.key,
        _real(score.value),
        score.reason,
        dumps([float(number) for number in score.stats]) if score.stats else None,
        None if score.explanation is None else escape(score.explanation),
        None if score.usage is None else dumps(score.usage.as_json()),
        None if score.model is None else escape(score.model),
        score.calls,
        _total(score.usage),
        _real(score.cost_usd),
        row.reused,
        at,
    )


def read_score(row: Row) -> ScoreRow:
    """Read back what `score_values` wrote."""
    score = Score(
        value=row["value"],
        stats=tuple(row["stats"] or ()),
        reason=row["reason"],
        explanation=row["explanation"],
        usage=None if row["usage"] is None else Usage(*row["usage"]),
        cost_usd=row["cost_usd"],
        model=row["model"],
        calls=row["calls"],
    )
    return ScoreRow(row["sample_id"], row["repeat"], row["metric"], row["key"], score, reused=bool(row["reused"]))


def run_values(run: Run) -> dict[str, Any]:
    """A run as a row of `run`, all but its lease."""
    return {
        "id": run.id,
        "suite": run.suite,
        "number": run.number,
        "status": run.status.value,
        "manifest": run.manifest.as_json(),
        "manifest_digest": run.manifest.digest,
        "total": run.total,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "note": run.note,
        "seed": run.seed,
        "tags": dict(run.tags),
        "course": [change.as_json() for change in run.course] or None,
        "unkept": list(run.unkept) if any(run.unkept) else None,
    }


def read_run(row: Row) -> Run:
    """Read back what `run_values` wrote."""
    return Run(
        id=row["id"],
        suite=row["suite"],
        number=row["number"],
        status=RunStatus(row["status"]),
        manifest=manifest_from_json(row["manifest"]),
        total=row["total"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        note=row["note"],
        seed=row["seed"],
        tags=row["tags"],
        course=tuple(LimitChange(*change) for change in row["course"] or ()),
        unkept=Unkept(*row["unkept"] or ()),
    )


def _real(number: float | None) -> float | None:
    return None if number is None else float(number)  # NumPy's numbers are not the drivers'


def _total(usage: Usage | None) -> int | None:
    return None if usage is None else usage.total


def _refuse_not_finite(sample_id: str, what: str, *numbers: float | None) -> None:
    for number in numbers:
        if number is not None and not math.isfinite(number):
            raise StoreError(f"sample {sample_id!r}: {what} holds {number}, which is not a finite number")
