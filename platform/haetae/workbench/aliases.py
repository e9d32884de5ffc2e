"""Which moving names of registered models and prompts a suite is written with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from haetae.core.reference import Kind, Reference
from haetae.core.suite import Suite
from haetae.errors import ConfigError

_MODELS = frozenset({"model", "models", "judges", "embeddings"})


class Alias(NamedTuple):
    """`support-llm@production`."""

    kind: Kind
    name: str
    alias: str


def aliases_of(suite: Suite) -> list[Alias]:
    """Each once, in the order of the file; of our registry alone, whose moves are told."""
    target = suite.target
    written: list[tuple[Kind, Any]] = [("model", target.model), ("prompt", target.prompt)]
    written += [("model", suite.judge), ("model", suite.embeddings)]
    for metric in suite.metrics.values():
        written += _named(metric)
    found = (_alias(kind, text) for kind, text in written if isinstance(text, str))
    return list(dict.fromkeys(alias for alias in found if alias is not None))


def _named(metric: str | Mapping[str, Any]) -> Iterator[tuple[Kind, Any]]:
    """What the parameters of a metric name."""
    if isinstance(metric, str):
        return
    for key, value in metric.items():
        for text in value if isinstance(value, list) else [value]:
            if key in _MODELS:
                yield "model", text
            elif key == "prompt":
                yield "prompt", text


def _alias(kind: Kind, text: str) -> Alias | None:
    if "@" not in text:
        return None
    try:
        reference = Reference.parse(text)
    except ConfigError:  # a file, or a name of MLflow's
        return None
    selector = reference.selector
    moves = isinstance(selector, str) and not selector.startswith("sha256:")
    return Alias(kind, reference.name, selector) if moves and isinstance(selector, str) else None
