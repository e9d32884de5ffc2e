"""The forms in which a judge answers the RAG metrics: their JSON schemas, and what is read from them.

Every reader raises ValueError, in words that the judge is shown, for an object of another shape.
"""

from __future__ import annotations

from haetae.core.canonical import Json
from haetae.metrics.text import nfc


def _object(title: str, **properties: Json) -> Json:
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_YES_OR_NO = {"type": "integer", "enum": [0, 1]}
_LISTED = {"type": "array", "items": _TEXT}
_NUMBERED = {
    "type": "array",
    "items": _object("verdict", index={"type": "integer"}, reason=_TEXT, verdict=_YES_OR_NO),
}
STATEMENTS = _object("statements", statements=_LISTED)
VERDICTS = _object("verdicts", verdicts=_NUMBERED)
ATTRIBUTION = _object("attribution", statements=_LISTED, verdicts=_NUMBERED)
USEFULNESS = _object("usefulness", reason=_TEXT, verdict=_YES_OR_NO)
RELEVANCE = _object("relevance", reason=_TEXT, rating={"type": "integer", "enum": [0, 1, 2]})


def questions_schema(count: int) -> Json:
    """The schema of `count` questions."""
    return _object(
        "questions",
        noncommittal=_YES_OR_NO,
        questions={"type": "array", "items": _TEXT, "minItems": count, "maxItems": count},
    )


def _texts(found: Json, name: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name} is not a list of texts")
    return [" ".join(nfc(text).split()) for text in found if text.strip()]


def _whole(found: Json, name: str, allowed: range) -> int:
    if not isinstance(found, int) or found not in allowed or (isinstance(found, bool) and allowed != range(2)):
        raise ValueError(f"{name} is {found!r}, not one of {', '.join(map(str, allowed))}")
    return int(found)


def read_statements(found: dict[str, Json]) -> list[str]:
    """The statements, each on one line and each once; blank ones are left out."""
    return list(dict.fromkeys(_texts(found.get("statements"), "statements")))


def read_verdicts(found: dict[str, Json], count: int) -> list[int]:
    """The verdicts in the order of the statements: one for each number from 1 to count."""
    rows = found.get("verdicts")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("verdicts is not a list of objects")
    by_index = {_whole(row.get("index"), "index", range(1, count + 1)): row for row in rows}
    if len(rows) != count or len(by_index) != count:
        raise ValueError(f"there are {len(rows)} verdicts on {len(by_index)} of {count} statements")
    return [_whole(by_index[place].get("verdict"), "verdict", range(2)) for place in range(1, count + 1)]


def read_attribution(found: dict[str, Json]) -> tuple[list[str], list[int]]:
    """The statements that the judge listed, each once, and their verdicts: one for each number in its list."""
    listed = found.get("statements")
    statements = _texts(listed, "statements")
    if len(statements) != len(listed or ()):
        raise ValueError("a statement is blank")
    verdicts: dict[str, int] = {}
    for statement, verdict in zip(statements, read_verdicts(found, len(statements)), strict=True):
        if verdicts.setdefault(statement, verdict) != verdict:
            raise ValueError(f"the statement {statement!r} is listed twice, with two verdicts")
    return list(verdicts), list(verdicts.values())


def read_usefulness(found: dict[str, Json]) -> tuple[int, str]:
    """Whether a context is useful, 1 or 0, and the reason."""
    return _whole(found.get("verdict"), "verdict", range(2)), _reason(found)


def read_questions(found: dict[str, Json], count: int) -> tuple[int, list[str]]:
    """Whether the answer is noncommittal (1 or 0), and `count` questions."""
    questions = _texts(found.get("questions"), "questions")
    if len(questions) != count:
        raise ValueError(f"there are {len(questions)} questions, not {count}")
    return _whole(found.get("noncommittal"), "noncommittal", range(2)), questions


def read_rating(found: dict[str, Json]) -> tuple[int, str]:
    """The rating, 0 to 2, and the reason."""
    return _whole(found.get("rating"), "rating", range(3)), _reason(found)


def _reason(found: dict[str, Json]) -> str:
    reason = found.get("reason")
    return reason if isinstance(reason, str) else ""
