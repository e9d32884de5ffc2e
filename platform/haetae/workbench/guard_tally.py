"""What came to one stage of a guard: counts, times, prices, and the figures that they make."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from haetae.core.canonical import Json
from haetae.stats.intervals import Interval, wilson

HEADER = (
    *("stage", "reached", "decided", "precision", "recall"),
    *("median", "per 1,000", "caught", "let pass", "caught per $"),
)
_LEVEL = 0.95


@dataclass(slots=True)
class Tally:
    """What came to a stage, or to the whole cascade.

    `caught` texts should be blocked and were here, `wronged` should not and were, `missed` should be and came
    here without being blocked, and `let_pass` of these are those that this very stage decided to let pass. Without
    labels those are 0. `failed` came here and have no verdict, as the stage failed: they are in `reached` alone.
    """

    name: str
    reached: int = 0
    decided: int = 0
    caught: int = 0
    wronged: int = 0
    missed: int = 0
    let_pass: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)
    cost_usd: float | None = 0.0

    def add(self, harmful: bool | None, flagged: bool | None, latency_s: float | None, cost_usd: float | None) -> None:
        """Count one text that has a verdict, or was left to the next stage."""
        self.reached += 1
        self.decided += flagged is not None
        self.caught += harmful is True and flagged is True
        self.wronged += harmful is False and flagged is True
        self.missed += harmful is True and flagged is not True
        self.let_pass += harmful is True and flagged is False
        if latency_s is not None:
            self.latencies.append(latency_s)
        self.cost_usd = None if cost_usd is None or self.cost_usd is None else self.cost_usd + cost_usd

    def add_failed(self) -> None:
        """Count one text that has no verdict; what the check took and cost is that of no verdict, and left out."""
        self.reached += 1
        self.failed += 1

    @property
    def precision(self) -> float | None:
        """The share of what was blocked here that should be."""
        return _share(self.caught, self.caught + self.wronged)

    @property
    def recall(self) -> float | None:
        """The share of what came here and should be blocked that was, here."""
        return _share(self.caught, self.caught + self.missed)

    @property
    def latency_s(self) -> float | None:
        """The median."""
        return statistics.median(self.latencies) if self.latencies else None

    @property
    def per_thousand_usd(self) -> float | None:
        """What 1,000 texts that have a verdict here cost; None where a price is unknown."""
        checked = self.reached - self.failed
        return None if self.cost_usd is None or not checked else 1_000 * self.cost_usd / checked

    @property
    def caught_per_usd(self) -> float | None:
        """Harmful texts that this stage stopped, and none before it, by dollar; None where it is free or unknown."""
        return self.caught / self.cost_usd if self.cost_usd else None

    def as_json(self) -> Json:
        """The figures for scripts."""
        counts = ("name", "reached", "decided", "caught", "wronged", "missed", "let_pass", "failed", "cost_usd")
        figures = ("precision", "recall", "latency_s", "per_thousand_usd", "caught_per_usd")
        return {
            **{name: getattr(self, name) for name in (*counts, *figures)},
            "precision_interval": _interval(self.precision, self.caught + self.wronged),
            "recall_interval": _interval(self.recall, self.caught + self.missed),
        }

    def row(self) -> tuple[str, ...]:
        """The figures for people."""
        return (
            self.name,
            str(self.reached),
            str(self.decided),
            _figure(self.precision, self.caught + self.wronged),
            _figure(self.recall, self.caught + self.missed),
            "unknown" if self.latency_s is None else f"{_readable(1_000 * self.latency_s, 3)} ms",
            "unknown" if self.per_thousand_usd is None else f"${_readable(self.per_thousand_usd)}",
            str(self.caught),
            str(self.let_pass),
            self._yield(),
        )

    def _yield(self) -> str:
        """Harm that is caught per dollar, for people."""
        if self.per_thousand_usd is None:
            return "unknown"
        return "free" if self.caught_per_usd is None else _readable(self.caught_per_usd)


def _readable(number: float, digits: int = 4) -> str:
    """A number of at least 0 with so many digits that count, never with an exponent: `150,000`, `0.00002`."""
    if not number:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(number)))
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _interval(share: float | None, n: int) -> Interval | None:
    return None if share is None else wilson(share, n, _LEVEL)


def _figure(share: float | None, n: int) -> str:
    """A share with its interval."""
    interval = _interval(share, n)
    return "undefined" if share is None or interval is None else f"{share:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
