"""What a metric takes for granted of the dataset and the target: looked for before the first call."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from haetae.core.canonical import Json

Label: TypeAlias = str | bool | int
"""A value of the metadata that says of a sample what it is."""


def is_label(found: Json, label: Label) -> bool:
    """Whether what stands in the metadata is the label: of the same kind, texts in NFC."""
    if isinstance(found, str) and isinstance(label, str):
        return unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", label)
    return type(found) is type(label) and bool(found == label)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples are labelled in the metadata under `key`, and some sample has the value `positive`.

    `needs_positive` is False where the metric also has a meaning without one: then a dataset of samples that all
    have one other value will do.
    """

    key: str
    positive: Label
    needs_positive: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """`stages` are names of stages of the target's answers, by the parameter of the metric that gives the name; None
    where it gives none.
    """

    stages: Mapping[str, str | None] = field(default_factory=dict)
    labels: Labelled | None = None
