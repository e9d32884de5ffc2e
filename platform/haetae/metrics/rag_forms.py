"""The forms in which a judge answers the RAG metrics: their JSON schemas, and what is read from them.

Every reader raises ValueError, in words that the judge is shown, for an object of another shape.
"""

from __future__ import annotations

from haetae.core.canonical import Json


def _object(title: str, **properties: Json) -> Json:
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
STATEMENTS = _object("statements", statements={"type": "array", "items": _TEXT})
VERDICTS = _object(
    "verdicts",
    verdicts={
        "type": "array",
        "items": _object(
            "verdict", index={"type": "integer"}, reason=_TEXT, verdict={"type": "integer", "enum": [0, 1]}
        ),
    },
)
RELEVANCE = _object("relevance", reason=_TEXT, rating={"type": "integer", "enum": [0, 1, 2]})


def questions_schema(count: int) -> Json:
    """The schema of `count` questions."""
    return _object(
        "questions",
        noncommittal={"type": "integer", "enum": [0, 1]},
        questions={"type": "array", "items": _TEXT, "minItems": count, "maxItems": count},
    )


def _texts(found: Json, name: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name} is not a list of texts")
    return [" ".join(text.split()) for text in found if text.strip()]


def _whole(found: Json, name: str, allowed: range) -> int:
    if not isinstance(found, int) or found not in allowed or (isinstance(found, bool) and allowed != range(2)):
        raise ValueError(f"{name} is {found!r}, not one of {', '.join(map(str, allowed))}")
    return int(found)


def read_statements(found: dict[str, Json]) -> list[str]:
    """The statements, each on one line; blank ones are left out."""
    return _texts(found.get("statements"), "statements")


def read_verdicts(found: dict[str, Json], count: int) -> list[int]:
    """The verdicts in the order of the statements: one for each number from 1 to count."""
    rows = found.get("verdicts")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("verdicts is not a list of objects")
    by_index = {_whole(row.get("index"), "index", range(1, count + 1)): row for row in rows}
    if len(rows) != count or len(by_index) != count:
        raise ValueError(f"there are {len(rows)} verdicts on {len(by_index)} of {count} statements")
    return [_whole(by_index[place].get("verdict"), "verdict", range(2)) for place in range(1, count + 1)]


def read_questions(found: dict[str, Json], count: int) -> tuple[int, list[str]]:
    """Whether the answer is noncommittal (1 or 0), and `count` questions."""
    questions = _texts(found.get("questions"), "questions")
    if len(questions) != count:
        raise ValueError(f"there are {len(questions)} questions, not {count}")
    return _whole(found.get("noncommittal"), "noncommittal", range(2)), questions


def read_rating(found: dict[str, Json]) -> tuple[int, str]:
    """The rating, 0 to 2, and the reason."""
    reason = found.get("reason")
    return _whole(found.get("rating"), "rating", range(3)), reason if isinstance(reason, str) else ""
