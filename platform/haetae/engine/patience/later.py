"""How an error says that it may pass: an endpoint, or the ledger, is away, and nobody has to mend anything."""

from __future__ import annotations

_LATER = ": go on later"


def later(message: str) -> str:
    """The sentence of an error that may pass."""
    return f"{message.rstrip('.')}{_LATER}"


def may_pass(note: str | None) -> bool:
    """Whether a run's note says that it was stopped by such an error, and may be gone on with as it is."""
    return note is not None and f"{_LATER}. " in note
