"""Why answers and scores are missing, in a line each: what a report says of samples that have none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from haetae.core.ledger import Ledger
from haetae.core.run import Unanswered, Unscored
from haetae.core.secrets import redact

_MOST_SHOWN = 200
"""Characters of a message in a report; the ledger keeps all."""


def unanswered(ledger: Ledger, run_id: str) -> tuple[Unanswered, ...]:
    """The failed answers of a run by reason, the most frequent first, each with an example's cause in one line."""
    return tuple(replace(one, message=cause(one.message)) for one in ledger.unanswered(run_id))


def unscored(ledger: Ledger, run_id: str) -> tuple[Unscored, ...]:
    """What metrics could not score, by metric and reason, each with an example's cause in one line."""
    found = ledger.unscored(run_id)
    return tuple(replace(one, explanation=cause(one.explanation or "") or None) for one in found)


def cause(message: str) -> str:
    """One line of a message, redacted and cut: of a traceback what was raised, else the first line."""
    lines = [line for line in redact(message).splitlines() if line.strip()]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    raised = (line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")) if frames else iter(lines)
    line = next(raised, "").strip()
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"


def unanswered_lines(failures: Iterable[Unanswered]) -> list[str]:
    """`no answer: target_raised 24, e.g. s01: TypeError: the function returned int; …`, a line for each reason."""
    return [f"no answer: {one.reason} {one.count:,}, e.g. {one.sample_id}: {one.message}" for one in failures]


def unscored_lines(lacking: Iterable[Unscored]) -> list[str]:
    """`right, near: metric_raised 4, e.g. s01: TypeError: …`, a line for each reason and example."""
    alike: dict[str, list[str]] = {}
    for one in lacking:
        why = f": {one.explanation}" if one.explanation else ""
        alike.setdefault(f"{one.reason} {one.count:,}, e.g. {one.sample_id}{why}", []).append(one.metric)
    return [f"{', '.join(metrics)}: {told}" for told, metrics in alike.items()]
