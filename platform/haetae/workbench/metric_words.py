"""A metric's facts and parameters, as people say them."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any

from haetae.core.canonical import Json, dumps
from haetae.core.code_folder import CodeFolder
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt

_WORDS = {
    LanguageModel: "a registered model",
    Prompt: "a prompt: a file, or a registered one",
    Path: "a file of the project",
    CodeFolder: "a folder that `HAETAE_EVALUATE_FOLDERS` allows",
    Outputs: "a file of recorded outputs",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dict: "a mapping",
}
_PLAIN = re.compile(r"[^\W_](?:[\w .@/()-]|:(?=\S))*")
"""Text that YAML takes as text without quotes."""


def words_of(facts: MetricFacts) -> tuple[str, ...]:
    """Its range, its direction, what it needs, whether it asks a model, and how it is summed up."""
    direction = "higher is better" if facts.higher_is_better else "lower is better"
    needs = f"needs {', '.join(sorted(facts.needs))}" if facts.needs else ""
    asks = "asks a model" if facts.judge is not None else ""
    corpus = "corpus value from summed statistics" if facts.corpus else ""
    return tuple(filter(None, (_range(facts.low, facts.high), direction, needs, asks, corpus)))


def takes(annotation: Any) -> str:
    """What a parameter takes, as people say it."""
    if isinstance(annotation, str):
        return _takes_written(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(", ".join(f"`{value}`" for value in inner).rsplit(", ", 1))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(takes(kind) for kind in inner if kind is not types.NoneType))
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"[{', '.join(map(takes, inner))}]"
    if origin in (tuple, list):
        return f"a list, each {takes(inner[0])}"
    if origin is typing.Annotated:
        return takes(inner[0])
    return _WORDS.get(origin or annotation, "any value")


def _takes_written(annotation: str) -> str:
    """The same of an annotation that was read in a source."""
    known = {word.__name__: said for word, said in _WORDS.items()}
    kinds = [kind.strip() for kind in annotation.split("|") if kind.strip() != "None"]
    return " or ".join(dict.fromkeys(known.get(kind, "any value") for kind in kinds))


def flow(value: Json) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if not isinstance(value, str) or not value.isprintable():
        return dumps(value)
    quoted = value.replace("'", "''")
    return value if _PLAIN.fullmatch(value) else f"'{quoted}'"  # where a backslash stands for itself


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "any number" if high is None else f"up to {high:g}"
    return f"{low:g} and up" if high is None else f"{low:g} to {high:g}"
