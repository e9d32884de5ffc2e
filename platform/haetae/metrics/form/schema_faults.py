"""What is wrong with a JSON schema, in words for who wrote it, and at which place of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from haetae.core.canonical import Json

Place = tuple[str | int, ...]
"""The way to a part of the schema."""

FORMATS = (
    *("date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4", "ipv6", "iri"),
    *("iri-reference", "json-pointer", "regex", "relative-json-pointer", "time", "uri", "uri-reference"),
    *("uri-template", "uuid"),
)
"""The formats of draft 2020-12; older drafts know fewer."""
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_DRAFTS = "the drafts 4, 6, 7, 2019-09 and 2020-12 are known by their own addresses"

_ONE = frozenset(
    {"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"}
    | {"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
)
_LISTS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_MAPPINGS = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"})
_ASSERTING = sorted(
    {"const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems"}
    | {"maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum"}
    | {"multipleOf", "pattern", "required", "type", "uniqueItems"}
    | _ONE
    | _LISTS
    | (_MAPPINGS - {"$defs", "definitions"})
)
"""Keywords that refuse something: one of them that is misspelt refuses nothing, and nobody would notice."""


def misspelt(schema: Json) -> Iterator[tuple[Place, str]]:
    """Unknown keywords that are nearly one that refuses something; others are comments, which a schema may have."""
    for place, node in _schemas(schema):
        for key in node.keys() - set(_ASSERTING):
            if close := difflib.get_close_matches(key, _ASSERTING, n=1, cutoff=0.85):
                yield (*place, key), f"unknown keyword; did you mean {close[0]}?"


def fault(schema: Json, place: Place, why: str) -> tuple[Place, str]:
    """What the validator refused at a place, with what was expected there. `why` are its own words."""
    value = _at(schema, place)
    if why.startswith(("Resource ", "Unknown meta-schema", "Pointer ")):
        return _unresolved(schema, why)
    if why.startswith("Unknown format"):
        return place, _none_of("format", value, FORMATS)
    if why.endswith('is not a "regex"'):
        pattern = place[-1] if place[-2:-1] == ("patternProperties",) else value
        return place, (
            f"{pattern!r} is no expression that takes linear time: as in `regex` there is no look-around and no "
            "back-reference"
        )
    if place[-1:] == ("type",) and isinstance(value, str):
        return place, _none_of("type", value, _TYPES)
    return place, why


def _none_of(what: str, value: Json, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(value), known, n=1)
    return f"{value!r} is no {what}; there are {', '.join(known)}{f'; did you mean {close[0]}?' if close else ''}"


def _unresolved(schema: Json, why: str) -> tuple[Place, str]:
    """The reference that leads nowhere, or out of the schema: the validator names it, but not its place."""
    for place, node in _schemas(schema):
        for key in ("$schema", "$ref", "$dynamicRef"):
            text = node.get(key)
            if not isinstance(text, str) or (key == "$schema") != why.startswith("Unknown meta-schema"):
                continue
            if key == "$schema":
                return (*place, key), f"{text} is no draft of JSON Schema; {_DRAFTS}"
            if why.startswith("Pointer ") and text.startswith("#") and f"'{text[1:]}'" in why:
                return (*place, key), f"{text} points at nothing in the schema"
            if why.startswith("Resource ") and not text.startswith("#"):
                return (*place, key), f"{text} lies outside the schema and is not fetched; write it under $defs"
    return (), why


def _schemas(schema: Json) -> Iterator[tuple[Place, dict[str, Json]]]:
    """Every schema in a schema, the outermost first; without recursion, so that no nesting is too deep."""
    waiting: list[tuple[Place, Json]] = [((), schema)]
    while waiting:
        place, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield place, node
        for key, value in node.items():
            if key in _MAPPINGS and isinstance(value, dict):
                waiting += [((*place, key, name), inner) for name, inner in value.items()]
            elif key in _LISTS and isinstance(value, list):
                waiting += [((*place, key, index), inner) for index, inner in enumerate(value)]
            elif key in _ONE:
                waiting.append(((*place, key), value))


def _at(schema: Json, place: Place) -> Json:
    for part in place:
        if isinstance(schema, dict):
            schema = schema.get(str(part))
        else:
            schema = schema[part] if isinstance(schema, list) and isinstance(part, int) else None
    return schema
