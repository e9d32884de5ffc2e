"""A run's samples, answers and scores as JSONL or CSV, page by page."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Literal, TextIO

from haetae.core.canonical import Json, dumps
from haetae.core.generation import Failure, Generation
from haetae.core.ledger import Ledger, SampleResult

_PAGE = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", " ", "＝", "＋", "－", "＠")


def export(ledger: Ledger, run_id: str, form: Literal["jsonl", "csv"], out: TextIO) -> None:
    """Write every (sample, repeat) of a run. Texts that a spreadsheet would run are quoted in CSV."""
    metrics = list(ledger.run(run_id).manifest.metrics)
    if form == "jsonl":
        for result in pages(ledger, run_id):
            out.write(dumps(_row(result, metrics)) + "\n")
        return
    names = ["sample_id", "repeat", "input", "reference", "output", "failure", "latency_s", "cost_usd"]
    names += [column for metric in metrics for column in (metric, f"{metric}.reason", f"{metric}.explanation")]
    writer = csv.DictWriter(out, names, extrasaction="ignore")
    writer.writerow({name: _inert(name) for name in names})
    for result in pages(ledger, run_id):
        row = _row(result, metrics)
        for metric, said in row.pop("scores").items():
            row |= {
                metric: said["value"],
                f"{metric}.reason": said["reason"],
                f"{metric}.explanation": said["explanation"],
            }
        writer.writerow({name: _inert(value) for name, value in row.items()})


def pages(ledger: Ledger, run_id: str) -> Iterator[SampleResult]:
    """Every (sample, repeat) of a run, read page by page."""
    offset = 0
    while page := ledger.results(run_id, limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)


def _row(result: SampleResult, metrics: list[str]) -> dict[str, Json]:
    given = result.generation.result if result.generation else None
    answer = given if isinstance(given, Generation) else None
    images = [image.as_json() for image in result.sample.images]
    return {
        "sample_id": result.sample.id,
        "repeat": result.repeat,
        "input": result.sample.text,
        **({"images": images} if images else {}),
        "reference": "\n".join(result.sample.references),
        "output": answer.output if answer else None,
        "failure": given.reason if isinstance(given, Failure) else None,
        "latency_s": answer.latency_s if answer else None,
        "cost_usd": answer.cost_usd if answer else None,
        "scores": {
            name: {
                "value": result.scores[name].score.value,
                "reason": result.scores[name].score.reason,
                "explanation": result.scores[name].score.explanation,
            }
            for name in metrics
            if name in result.scores
        },
    }


def _inert(value: Json) -> Json:
    """Text that starts like a formula, prefixed so that a spreadsheet shows it instead of running it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
