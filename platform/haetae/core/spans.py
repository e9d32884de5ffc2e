"""The port of spans: what a run did and how long each part took, told to whoever collects it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

Attribute: TypeAlias = str | bool | int | float | Sequence[str]


class Span(Protocol):
    """One part of a run, under way. Neither prompts nor answers are told of it."""

    def tell(self, attributes: Mapping[str, Attribute]) -> None:
        """What is known of it by now."""
        ...

    def failed(self, reason: str) -> None:
        """It came to nothing, for a reason of one word."""
        ...


class Spans(Protocol):
    """Opens spans: one that is opened inside another is a part of it. Never waits, and never raises."""

    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, calls: bool = False
    ) -> AbstractContextManager[Span]:
        """A span as long as the block; what the block raises ends it as failed and goes on. `calls` says that
        another service is called in it."""
        ...

    def close(self, deadline_s: float) -> str | None:
        """Hand over what is left, for so long at most; what could not be delivered, in words, or None."""
        ...
