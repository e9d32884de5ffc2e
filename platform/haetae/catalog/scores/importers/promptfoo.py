"""promptfoo's results (`promptfoo eval -o results.json`) become score rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow
from haetae.catalog.scores.importers.document import finite, tags_of
from haetae.catalog.scores.importers.promptfoo_metrics import scores_of_test
from haetae.catalog.scores.importers.records import Record, convert
from haetae.core.canonical import Json, digest
from haetae.core.tool_score import ToolScore
from haetae.errors import DatasetError, Problem

_LABEL = 60
"""Characters of a test's description, or of its first text, that its id carries."""
_DIGITS = 8


def is_results(document: Json) -> bool:
    """Whether a document is a file of results."""
    results = document.get("results") if isinstance(document, dict) else None
    return isinstance(results, dict) and isinstance(results.get("results"), list)


def rows(document: dict[str, Json], column: str | None, file: str) -> Iterator[ToolScore]:
    """One row for each test and metric: `pass`, the named scores, and the assertions without a name by their type.

    Of several providers or prompts `column` names one. The id is the description of the test, or the
    first of its variables, and a digest of all of them: a test is the same wherever it stands, and its
    repeats are the tests of the same id. Short texts of variables and metadata are tags. A test whose
    answer or grading failed has no scores. Raises DatasetError.
    """
    results: list[Json] = document["results"]["results"]
    chosen = _choose(results, column, file)
    places = sorted(chosen, key=lambda place: finite(results[place].get("testIdx")) or 0)  # written as they finished
    records = (Record(results[place], field=f"results.results.{place}") for place in places)
    repeats: Counter[tuple[str, str]] = Counter()

    def rows_of(test: dict[str, Json], _: int) -> list[ToolScore]:
        name, scored = _id(test), []
        tags = tags_of(test.get("vars")) | tags_of(test.get("metadata"))
        for metric, (value, reason) in scores_of_test(test).items():
            scored.append(ToolScore(name, metric, value, repeats[name, metric], tags=tags, reason=reason))
            repeats[name, metric] += 1
        return scored

    return convert(records, rows_of, file)


def _choose(results: Sequence[Json], column: str | None, file: str) -> list[int]:
    """The places of one column's results. Raises DatasetError naming the columns there are."""
    columns: dict[tuple[str, str], list[int]] = {}
    for place, test in enumerate(results):
        if not isinstance(test, dict):
            told = f"expected a JSON object, got {found(test)}"
            raise DatasetError(Problem(told, file, field=f"results.results.{place}"))
        columns.setdefault((_provider(test.get("provider")), str(test.get("promptIdx"))), []).append(place)
    providers = Counter(provider for provider, _ in columns)
    named = {
        provider if providers[provider] == 1 else f"{provider}:{prompt}": places
        for (provider, prompt), places in columns.items()
    }
    if column is None and len(named) <= 1:
        return [place for places in named.values() for place in places]
    if column in named:
        return named[column]
    listed = ", ".join(f"{file}#{name}" for name in named)
    told = "holds the results of several providers or prompts" if column is None else f"holds no results of {column!r}"
    raise DatasetError(Problem(f"{told}; name one: {listed}", file))


def _provider(provider: Json) -> str:
    if isinstance(provider, dict):
        provider = provider.get("label") or provider.get("id")
    return str(provider).replace("//", "/")  # as in a path: FILE#PROVIDER is written as one


def _id(test: dict[str, Json]) -> str:
    case = test.get("testCase")
    case = case if isinstance(case, dict) else {}
    variables, description = test.get("vars") or {}, case.get("description")
    if not isinstance(variables, dict):
        raise BadRow([("vars", f"expected a mapping, got {found(variables)}")])
    variables = {name: value for name, value in variables.items() if not name.startswith("_")}
    texts = (value for value in (description, *variables.values()) if isinstance(value, str) and value.strip())
    label = "".join(sign if sign.isprintable() else " " for sign in " ".join(next(texts, "").split()))
    content = digest(description, variables or case.get("assert"))[:_DIGITS]
    return f"{label[:_LABEL]} {content}".strip()
