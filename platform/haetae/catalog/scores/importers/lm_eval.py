"""lm-evaluation-harness's sample logs (`samples_*.jsonl`, of a run with `--log_samples`) become score rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow
from haetae.catalog.scores.importers.document import finite, tags_of
from haetae.catalog.scores.importers.records import Record, convert, sample_id
from haetae.core.canonical import Json
from haetae.core.tool_score import ToolScore

_HASH = 8
"""Digits of a document's hash that an id carries."""
_FIELDS = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
    | {"doc_hash", "prompt_hash", "target_hash"}
)


def is_sample(row: Json) -> bool:
    """Whether a line is a logged sample."""
    return isinstance(row, dict) and "doc_id" in row and "filtered_resps" in row


def is_summary(document: Json) -> bool:
    """Whether a document is the harness's `results_*.json`, which holds no samples."""
    return isinstance(document, dict) and "results" in document and "n-samples" in document


def rows(records: Iterable[Record], file: str) -> Iterator[ToolScore]:
    """One row for each number among a sample's metrics.

    The id is the number of the document and the start of its hash, so that two files pair the same
    documents only. A metric is called as the harness calls it, `exact_match,strict-match`, and by its
    name alone where the filter is `none`. Metrics of a corpus (bleu, perplexity) have no number of a
    sample and are passed over. Short texts of the document are tags. Raises DatasetError.
    """
    return convert(records, _rows, file)


def _rows(row: dict[str, Json], line: int) -> list[ToolScore]:
    name = sample_id("doc_id", row.get("doc_id"))
    if isinstance(row.get("doc_hash"), str):
        name = f"{name}-{row['doc_hash'][:_HASH]}"
    metrics = row.get("metrics", [field for field in row if field not in _FIELDS])
    if not isinstance(metrics, list) or not metrics or not all(isinstance(metric, str) for metric in metrics):
        raise BadRow([("metrics", f"expected the names of the metrics, got {found(row.get('metrics'))}")])
    chosen = row.get("filter", "none")
    suffix = "" if chosen == "none" else f",{chosen}"
    tags = tags_of(row.get("doc"))
    scored = [
        ToolScore(name, f"{metric}{suffix}", finite(row[metric]), tags=tags, reason=_reason(row[metric]), line=line)
        for metric in metrics
        if isinstance(row.get(metric), int | float)
    ]
    if not scored:
        told = ", ".join(map(str, metrics))
        raise BadRow([("metrics", f"none of {told} is a number of this sample; they are measured on a whole corpus")])
    return scored


def _reason(value: float) -> str:
    return "" if finite(value) is not None else f"the metric was {value}"
