"""Whose score file this is: what stands in it decides which reader reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from haetae.catalog.explain import found
from haetae.catalog.lines import LIMIT_MESSAGE, TooLong, read_lines
from haetae.catalog.scores.gathering import collect
from haetae.catalog.scores.importers import inspect_log, lm_eval, promptfoo, statgate
from haetae.catalog.scores.importers.document import parse, read_document
from haetae.catalog.scores.importers.inspect_archive import is_archive
from haetae.catalog.scores.importers.records import Record
from haetae.catalog.scores.line import NEEDED
from haetae.catalog.scores.plain import read_scores
from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, Problem

_LINES = frozenset({".jsonl", ".ndjson"})
UNDERSTOOD = (
    'lines of {"id", "metric", "score"}; promptfoo\'s results (promptfoo eval -o results.json); '
    "Inspect's logs (.eval or .json); lm-evaluation-harness's samples_*.jsonl (of a run with --log_samples); "
    "statgate's case files (JSON lines, a JSON list, CSV)"
)


def scores_of(path: Path, file: str | None = None) -> ScoreColumns:
    """The scores in a file of any tool; `file` is its name in messages, by default the path.

    `results.json#gpt-5` is what promptfoo's results.json says of that provider, where no file has the whole
    name. Raises DatasetError for a file that cannot be read, for one that is none of `UNDERSTOOD`, and
    for every unsound row: see `read_scores` and `haetae.catalog.scores.importers`.
    """
    whole, column = _split(path)
    file = str(path) if file is None else file
    if whole.exists() and not whole.is_file():
        raise DatasetError(Problem("is not a regular file", file))
    if column is not None:
        name = file.removesuffix(f"#{column}")
        return collect(_column_rows(read_document(whole, name), column, name), file)
    if is_archive(path):
        return collect(inspect_log.archive_rows(path, file), file)
    line, first = _first(path, file)
    if lm_eval.is_sample(first):
        return collect(lm_eval.rows(_records(path, file), file), file)
    if statgate.is_case(first):
        return collect(statgate.rows(_records(path, file), file), file)
    if statgate.is_header(line):
        return collect(statgate.rows(statgate.csv_records(_texts(path, file), file), file), file)
    if _is_plain(path, line, first):
        return read_scores(path, file)
    document = read_document(path, file) if line.lstrip()[:1] in ("", "{", "[") else line
    return collect(_document_rows(document, file), file)


def _split(path: Path) -> tuple[Path, str | None]:
    """The file, and what follows # in its name where no file has the whole name."""
    signs = [place for place, sign in enumerate(str(path)) if sign == "#"]
    parts = ((Path(str(path)[:place]), str(path)[place + 1 :]) for place in signs if not path.exists())
    return next((part for part in parts if part[0].is_file()), (path, None))


def _first(path: Path, file: str) -> tuple[str, Json]:
    """The first line that is not blank, and its value if it is JSON of its own."""
    line = next((line for _, line in read_lines(path, file) if isinstance(line, TooLong) or line.strip()), b"")
    if isinstance(line, TooLong):
        return "{", None  # no row is that long, a document without line ends is
    text = line.decode("utf-8", "replace")
    try:
        return text, parse(line)
    except ValueError:
        return text, None


def _is_plain(path: Path, line: str, first: Json) -> bool:
    """Whether lines of plain scores are meant, so that their reader says what is wrong with them."""
    if isinstance(first, dict) and first:
        return bool(first.keys() & NEEDED)
    return not line or not _LINES.isdisjoint(path.suffixes)


def _records(path: Path, file: str) -> Iterator[Record]:
    """The values of JSON lines. Raises DatasetError at the first line that is none."""
    for number, line in read_lines(path, file):
        if isinstance(line, TooLong):
            raise DatasetError(Problem(LIMIT_MESSAGE, file, number))
        if line and not line.isspace():
            try:
                yield Record(parse(line), number)
            except ValueError as exc:
                raise DatasetError(Problem(f"not JSON: {exc}", file, number)) from exc


def _texts(path: Path, file: str) -> Iterator[str]:
    for number, line in read_lines(path, file, keep_ends=True):
        if isinstance(line, TooLong):
            raise DatasetError(Problem(LIMIT_MESSAGE, file, number))
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise DatasetError(
                Problem(f"not UTF-8 at byte {exc.start} of the line; save as UTF-8", file, number)
            ) from None


def _column_rows(document: Json, column: str, file: str) -> Iterator[ToolScore]:
    if promptfoo.is_results(document):
        return promptfoo.rows(document, column, file)
    raise DatasetError(Problem(f"#{column} names a provider of promptfoo's results, and the file holds none", file))


def _document_rows(document: Json, file: str) -> Iterator[ToolScore]:
    if promptfoo.is_results(document):
        return promptfoo.rows(document, None, file)
    if inspect_log.is_log(document):
        return inspect_log.rows(document, document.get("samples"), file)
    if isinstance(document, list) and document and statgate.is_case(document[0]):
        records = (Record(case, field=str(index)) for index, case in enumerate(document))
        return statgate.rows(records, file)
    if lm_eval.is_summary(document):
        told = "is the summary of an lm-evaluation-harness run; give its samples_*.jsonl (--log_samples writes them)"
        raise DatasetError(Problem(told, file))
    told = f"a mapping of {', '.join(list(document)[:8])}" if isinstance(document, dict) else found(document)
    raise DatasetError(
        Problem(f"holds {told}, which is no score file that is understood; those are {UNDERSTOOD}", file)
    )
