"""Inspect's logs become score rows: an `.eval` archive or a `.json` log, of a run that finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow
from haetae.catalog.scores.importers.document import finite, parse_document, tags_of
from haetae.catalog.scores.importers.inspect_archive import read_members
from haetae.catalog.scores.importers.records import Record, Scored, convert, reason_of, sample_id
from haetae.catalog.scores.line import MAX_REPEAT
from haetae.core.canonical import Json
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, Problem

HEADER, SUMMARIES = "header.json", "summaries.json"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partial, incorrect, no answer: `value_to_float` of inspect_ai.scorer."""
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def is_log(document: Json) -> bool:
    """Whether a document is a log in JSON."""
    return isinstance(document, dict) and isinstance(document.get("eval"), dict) and "status" in document


def archive_rows(path: Path, file: str) -> Iterator[ToolScore]:
    """The rows of an `.eval` archive: of its summaries, never of its transcripts. See `rows`."""
    members = read_members(path, (HEADER, SUMMARIES), file)
    missing = [name for name in (HEADER, SUMMARIES) if name not in members]
    if missing:
        told = f"has no {' and no '.join(missing)}: not an Inspect log, or of a run that did not finish"
        raise DatasetError(Problem(told, file))
    header, samples = (parse_document(members[name], f"{file}: {name}") for name in (HEADER, SUMMARIES))
    return rows(header, samples, file)


def rows(log: Json, samples: Json, file: str) -> Iterator[ToolScore]:
    """One row for each sample, epoch and scorer; a scorer of several values has a metric for each, `form.length`.

    Letters and words become numbers as Inspect makes them: C 1, P 0.5, I and N 0, yes and true 1, no and
    false 0; other texts, NaN, and samples that failed have no score. Epochs are repeats; short texts of the
    metadata are tags. Raises DatasetError, also for a run that did not finish and for one with samples
    that were invalidated.
    """
    status = log.get("status") if isinstance(log, dict) else None
    if status != "success":
        told = f"the run did not finish (its status is {found(status)}); end it with inspect eval-retry"
        raise DatasetError(Problem(told, file, field="status"))
    if log.get("invalidated"):
        told = "some samples were invalidated; run them again with inspect eval-retry"
        raise DatasetError(Problem(told, file, field="invalidated"))
    if not isinstance(samples, list):
        told = f"expected a list of samples, got {found(samples)}; the log may be of a run without log_samples"
        raise DatasetError(Problem(told, file, field="samples"))
    parts = _parts_by_scorer(samples)
    records = (Record(sample, field=f"samples.{index}") for index, sample in enumerate(samples))
    return convert(records, lambda sample, _: _rows(sample, parts), file)


def _parts_by_scorer(samples: Sequence[Json]) -> dict[str, dict[str, None]]:
    """Of every scorer the parts that its values have, in order of appearance; "" where a value is one."""
    parts: dict[str, dict[str, None]] = {}
    for sample in samples:
        scores = sample.get("scores") if isinstance(sample, dict) else None
        for scorer, score in scores.items() if isinstance(scores, dict) else ():
            if isinstance(score, dict):
                parts.setdefault(scorer, {}).update(dict.fromkeys(_values(score.get("value"))))
    for named in parts.values():
        if len(named) > 1:  # a scorer of several values that gave none at all for a sample
            named.pop("", None)
    return parts


def _values(value: Json) -> dict[str, Json]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): part for index, part in enumerate(value)}
    return {"": value}


def _rows(sample: dict[str, Json], parts: dict[str, dict[str, None]]) -> list[ToolScore]:
    name, epoch, scores = sample_id("id", sample.get("id")), sample.get("epoch"), sample.get("scores") or {}
    if type(epoch) is not int or not 1 <= epoch <= MAX_REPEAT:
        raise BadRow([("epoch", f"expected a whole number from 1, got {found(epoch)}")])
    if not isinstance(scores, dict):
        raise BadRow([("scores", f"expected a mapping of scorers, got {found(scores)}")])
    failed = reason_of(sample.get("error"), "not scored")
    tags = tags_of(sample.get("metadata"))
    scored: list[ToolScore] = []
    for scorer, named in parts.items():
        for part, (value, reason) in _scored(scores.get(scorer), named, failed).items():
            metric = f"{scorer}.{part}" if part else scorer
            scored.append(ToolScore(name, metric, value, epoch - 1, tags=tags, reason=reason))
    return scored


def _scored(score: Json, named: dict[str, None], failed: str) -> dict[str, Scored]:
    """What a scorer said of a sample, by part; of every part that the scorer has where it gave none."""
    if not isinstance(score, dict):
        return dict.fromkeys(named, Scored(None, failed))
    value = score.get("value")
    values = _values(value) if _values(value).keys() <= named.keys() else dict.fromkeys(named, value)
    metadata = score.get("metadata")
    told = score.get("reason") or (metadata.get("unscored_reason") if isinstance(metadata, dict) else None)
    why = reason_of(told, "unscored")
    return {part: _number(value, why) for part, value in values.items()}


def _number(value: Json, why: str) -> Scored:
    if not isinstance(value, str):
        number = finite(value)
        return Scored(number, "" if number is not None else why)
    if value in _LETTERS:
        return Scored(_LETTERS[value])
    if value.lower() in _WORDS:
        return Scored(_WORDS[value.lower()])
    try:
        number = finite(float(value))
    except ValueError:
        number = None
    return Scored(number, "" if number is not None else f"{found(value)} is not a number")
