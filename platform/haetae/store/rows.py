"""Values to rows and back. Numbers that are not finite are refused here, before any SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure, Generation, Usage, generation_from_json
from haetae.core.run import GenerationRow, LimitChange, Run, RunStatus, ScoreRow, manifest_from_json
from haetae.core.sample import Sample, sample_from_json
from haetae.core.score import Score
from haetae.errors import StoreError

Row = Mapping[Any, Any]
"""A row by the names of its columns."""


def sample_values(sample: Sample) -> dict[str, Any]:
    """A sample as a row of `sample`."""
    payload = sample.as_json()
    turns = [sample.input] if isinstance(sample.input, str) else [message.content for message in sample.input]
    return {
        "digest": sample.digest,
        "search": "\n".join([*turns, *sample.references]),
        "facets": payload.pop("metadata", {}),
        "payload": payload,
    }


def read_sample(payload: Json, facets: Json) -> Sample:
    """Read back what `sample_values` wrote."""
    return sample_from_json({**payload, "metadata": facets})


def generation_values(run_id: str, row: GenerationRow, at: datetime) -> dict[str, Any]:
    """An answer as a row of `generation`, all but its position. Raises StoreError for NaN and infinity."""
    result, payload = row.result, row.result.as_json()
    if isinstance(result, Generation):
        numbers: tuple[Any, ...] = (result.cost_usd, result.latency_s, *result.recorded_scores.values())
        _refuse_not_finite(row.sample_id, "the generation", *numbers, *(result.logprobs or ()))
        reason, output = None, payload.pop("output")
        output_digest = digest(result.output, payload.get("contexts"))
        tokens, cost, latency = _total(result.usage), _real(result.cost_usd), _real(result.latency_s)
    else:
        reason, output, output_digest = result.reason, "", ""
        tokens = cost = latency = None
    return {
        "run_id": run_id,
        "sample_id": row.sample_id,
        "repeat": row.repeat,
        "key": row.key,
        "sample_digest": row.sample_digest,
        "reason": reason,
        "output": output,
        "output_digest": output_digest,
        "payload": payload,
        "attempts": result.attempts,
        "model": None if isinstance(result, Failure) else result.model,
        "tokens": tokens,
        "cost_usd": cost,
        "latency_s": latency,
        "reused": row.reused,
        "created_at": at,
    }


def read_generation(row: Row) -> GenerationRow:
    """Read back what `generation_values` wrote."""
    payload = row["payload"]
    result: Generation | Failure
    result = generation_from_json(payload if row["reason"] is not None else {**payload, "output": row["output"]})
    return GenerationRow(
        row["sample_id"], row["repeat"], row["key"], row["sample_digest"], result, reused=bool(row["reused"])
    )


def score_values(run_id: str, row: ScoreRow, at: datetime) -> dict[str, Any]:
    """A score as a row of `score`. Raises StoreError for NaN and infinity."""
    score = row.score
    _refuse_not_finite(row.sample_id, f"the score of {row.metric}", score.value, score.cost_usd, *score.stats)
    return {
        "run_id": run_id,
        "sample_id": row.sample_id,
        "repeat": row.repeat,
        "metric": row.metric,
        "key": row.key,
        "value": _real(score.value),
        "reason": score.reason,
        "stats": [float(number) for number in score.stats] or None,
        "explanation": score.explanation,
        "usage": None if score.usage is None else score.usage.as_json(),
        "model": score.model,
        "calls": score.calls,
        "tokens": _total(score.usage),
        "cost_usd": _real(score.cost_usd),
        "reused": row.reused,
        "created_at": at,
    }


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
    )


def _real(number: float | None) -> float | None:
    return None if number is None else float(number)  # NumPy's numbers are not the drivers'


def _total(usage: Usage | None) -> int | None:
    return None if usage is None else usage.total


def _refuse_not_finite(sample_id: str, what: str, *numbers: float | None) -> None:
    for number in numbers:
        if number is not None and not math.isfinite(number):
            raise StoreError(f"sample {sample_id!r}: {what} holds {number}, which is not a finite number")
