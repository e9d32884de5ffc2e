"""Strict YAML: plain values with their places, from the parser's events; no object is ever constructed.

What YAML 1.1 guesses is not guessed: only `true`, `false`, `null`, `~`, decimal integers and decimal
fractions are other than text, so `no`, `0123`, `12:30:00` and `2026-01-01` stay what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from haetae.catalog.files import read_text
from haetae.catalog.places import Mark, Places, dotted
from haetae.core.canonical import Json
from haetae.errors import ConfigError, Problem

MAX_DEPTH = 64
MAX_NODES = 50_000
"""Most values in one file, counting what aliases repeat."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({"str", "int", "float", "bool", "null"})
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True)
class Document:
    """A file's mapping, its places, and what is wrong with it that reading could go on past."""

    value: dict[str, Json]
    places: Places
    text: str
    problems: list[Problem] = field(default_factory=list)


def read_yaml(path: Path, file: str) -> Document:
    """Read a mapping. `file` is its name in messages.

    Duplicate keys and forbidden tags are collected in `problems`. Raises ConfigError for what cannot
    be read at all: not UTF-8, a syntax error, over 1 MB or 64 levels, too many aliases, not a mapping.
    """
    text = read_text(path, file)
    reader = _Reader(Places(file), yaml.parse(text, Loader=_LOADER))
    try:
        value = reader.document()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        why = ", ".join(part for part in (exc.problem, exc.context) if part)
        if "escape" in (exc.problem or ""):
            why += "; between double quotes a backslash begins an escape: write single quotes"
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ConfigError([*reader.problems, Problem(f"YAML syntax: {why}", file, line, column)]) from exc
    except yaml.YAMLError as exc:  # a character that YAML does not allow: the error has no mark
        line = next((n for n, part in enumerate(text.split("\n"), 1) if _CONTROL.search(part)), 1)
        raise ConfigError(Problem(f"YAML syntax: {getattr(exc, 'reason', exc)}", file, line)) from exc
    if not isinstance(value, dict):
        found = "nothing" if value is None else "a list" if isinstance(value, list) else "text"
        raise ConfigError(Problem(f"expected a mapping at the top level, got {found}", file, 1, 1))
    return Document(value, reader.places, text, reader.problems)


def keys_at_the_top(text: str) -> set[str]:
    """The keys of a file's mapping, whatever else is wrong with it; none of another document. Raises yaml.YAMLError."""
    events = (event for event in yaml.parse(text, Loader=_LOADER) if not isinstance(event, _OF_STREAM))
    if not isinstance(next(events, None), yaml.MappingStartEvent):
        return set()
    keys: set[str] = set()
    depth, is_key = 1, True
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif depth == 1 and is_key and isinstance(event, yaml.ScalarEvent):
            keys.add(event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif depth == 1:  # a key or a value has ended
            is_key = not is_key
        elif depth == 0:
            break
    return keys


_OF_STREAM = (yaml.StreamStartEvent, yaml.DocumentStartEvent)
_CONTROL = re.compile(r"[^\t\r\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Reader:
    """Builds plain values from events. It descends 64 levels at most, so recursion is bounded."""

    def __init__(self, places: Places, events: Iterator[Any]) -> None:
        self.places = places
        self.problems: list[Problem] = []
        self._events = events
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._nodes = 0

    def document(self) -> Json:
        """The one document of the stream; None for an empty stream."""
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._node(next(self._events), (), 0)
        next(self._events)  # the document's end
        if isinstance(extra := next(self._events), yaml.DocumentStartEvent):
            self._stop(extra, "a second document starts here; a file holds one")
        return value

    def _stop(self, event: Any, message: str, path: tuple[str | int, ...] = ()) -> NoReturn:
        mark = _mark(event)
        problem = Problem(message, self.places.file, mark.line, mark.column, dotted(path) or None)
        raise ConfigError([*self.problems, problem])

    def _complain(self, event: Any, message: str, path: tuple[str | int, ...]) -> None:
        mark = _mark(event)
        self.problems.append(Problem(message, self.places.file, mark.line, mark.column, dotted(path) or None))

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(event, f"too many nodes/aliases: a file may hold {MAX_NODES:,} values")

    def _node(self, event: Any, path: tuple[str | int, ...], depth: int) -> Json:
        if depth > MAX_DEPTH:
            self._stop(event, f"nested over {MAX_DEPTH} levels")
        self.places.values[dotted(path)] = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor is None or event.anchor not in self._anchors:
                self._stop(event, f"alias *{event.anchor} has no anchor before it", path)
            value, size = self._anchors[event.anchor]
            self._count(event, size)
            return value
        before = self._nodes
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, path, frozenset({"seq"}))
            value = self._sequence(path, depth)
        else:
            self._check_tag(event, path, frozenset({"map"}))
            value = self._mapping(path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _sequence(self, path: tuple[str | int, ...], depth: int) -> list[Json]:
        out: list[Json] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            out.append(self._node(event, (*path, len(out)), depth + 1))
        return out

    def _mapping(self, path: tuple[str | int, ...], depth: int) -> dict[str, Json]:
        out: dict[str, Json] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(event, "a key must be a text", path)
            key, inner = event.value, (*path, event.value)
            self._check_tag(event, inner, frozenset({"str"}))
            if key == "<<" and event.implicit[0]:
                self._complain(event, "merge keys are not supported; write the keys out", path)
            name = dotted(inner)
            if key in out:
                first = self.places.keys[name].line
                message = f"key {key!r} is set twice, on lines {first} and {_mark(event).line}"
                self._complain(event, message, inner)
                self._node(next(self._events), (*inner, "(again)"), depth + 1)
                continue
            self.places.keys[name] = _mark(event)
            out[key] = self._node(next(self._events), inner, depth + 1)
        return out

    def _check_tag(self, event: Any, path: tuple[str | int, ...], allowed: frozenset[str]) -> str | None:
        """The short name of an explicit tag of the core, or None."""
        if event.tag is None or event.tag == "!":
            return None
        name = str(event.tag).removeprefix(_CORE)
        if name in allowed:
            return name
        self._complain(event, f"tag not allowed: {event.tag[:80]}", path)
        return None

    def _scalar(self, event: Any, path: tuple[str | int, ...]) -> Json:
        tag, text = self._check_tag(event, path, _SCALAR_TAGS), event.value
        self.places.spelled[dotted(path)] = text
        if tag is None:
            return plain(text) if event.implicit[0] else text
        if tag == "str":
            return text
        value = plain(text)
        if tag == "float" and type(value) is int:
            return float(value)
        if tag != ("null" if value is None else type(value).__name__):
            self._complain(event, f"the text {text[:40]!r} is not a {tag}", path)
        return value


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def plain(text: str) -> Json:
    """What an unquoted scalar means."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.lower().replace(".", "", 1))
    return text
