"""The scores of one promptfoo test: whether it passed, its named scores, its assertions without a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from haetae.catalog.explain import found
from haetae.catalog.rows import BadRow, Fault
from haetae.catalog.scores.importers.document import finite
from haetae.catalog.scores.importers.records import Scored, reason_of
from haetae.core.canonical import Json

_TEST = "pass"
"""The metric of the test as a whole."""
_ERROR = 2
"""promptfoo's `failureReason` of a test whose provider or grading failed."""
_SET = "assert-set"


def scores_of_test(test: dict[str, Json]) -> dict[str, Scored]:
    """What was said of a test, by metric.

    An assertion without a name is called by its type, the second of one type `javascript 2`. A score that
    a failing grader gave is none, and then the test has not been judged either. Raises BadRow for a score
    that is no number.
    """
    grading = test.get("gradingResult")
    if test.get("failureReason") == _ERROR or not isinstance(grading, dict):
        case = test.get("testCase")
        names = _names(_asserted(case.get("assert") if isinstance(case, dict) else None))
        return dict.fromkeys((_TEST, *names), Scored(None, reason_of(test.get("error"), "the test failed")))
    passed = test.get("success")
    if not isinstance(passed, bool):
        raise BadRow([("success", f"expected true or false, got {found(passed)}")])
    scores, faults = {_TEST: Scored(float(passed))}, list[Fault]()
    components, given = grading.get("componentResults") or [], test.get("namedScores") or {}
    if not isinstance(components, list):
        raise BadRow([("gradingResult.componentResults", f"expected a list, got {found(components)}")])
    if not isinstance(given, dict):
        raise BadRow([("namedScores", f"expected a mapping, got {found(given)}")])
    parts = [part for part in components if _is_single(part)]
    named = Counter(str(part["assertion"]["metric"]) for part in parts if part["assertion"].get("metric"))
    for name, value in given.items():
        # Releases without weights add up what several assertions of one name said, later ones give their mean.
        several = 1 if "namedScoreWeights" in grading else max(1, named[name])
        scores[name] = _scored(f"namedScores.{name}", value, several, faults)
    for name, part in zip(_names(part["assertion"] for part in parts), parts, strict=True):
        if isinstance(part.get("metadata"), dict) and part["metadata"].get("graderError") is True:
            scores[name] = scores[_TEST] = Scored(None, reason_of(part.get("reason"), "the grader failed"))
        elif not part["assertion"].get("metric"):
            scores[name] = _scored(f"gradingResult.componentResults: {name}", part.get("score"), 1, faults)
    if faults:
        raise BadRow(faults)
    return scores


def _scored(field: str, value: Json, several: int, faults: list[Fault]) -> Scored:
    number = finite(value)
    if number is None:
        faults.append((field, f"expected a number, got {found(value)}"))
        return Scored(None)
    return Scored(number / several)


def _is_single(part: Json) -> bool:
    """Whether a component is the result of one assertion; a set's own result stands before those of its members."""
    return isinstance(part, dict) and isinstance(part.get("assertion"), dict) and not part.get("componentResults")


def _asserted(assertions: Json) -> Iterator[dict[str, Json]]:
    """The single assertions of a test case, those of sets in their place."""
    for assertion in assertions if isinstance(assertions, list) else ():
        if not isinstance(assertion, dict):
            continue
        if assertion.get("type") == _SET:
            yield from _asserted(assertion.get("assert"))
        else:
            yield assertion


def _names(assertions: Iterable[dict[str, Json]]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for assertion in assertions:
        if assertion.get("metric"):
            yield str(assertion["metric"])
        else:
            kind = str(assertion.get("type"))
            seen[kind] += 1
            yield kind if seen[kind] == 1 else f"{kind} {seen[kind]}"
