"""How often attacks on a judge succeed: trials, and a rate with its interval for any group of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from haetae.core.canonical import Json
from haetae.core.score import Score
from haetae.stats.intervals import wilson
from haetae.workbench.judges.attacks import Attack

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Trial:
    """One attack on one answer. `before` is what it had to beat; `paid` whether it did, None for no score."""

    attack: Attack
    sample_id: str
    before: float
    score: Score
    paid: bool | None
    marked: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """How often attacks succeed: the mean, over attacks, of the share of samples that each succeeded on.

    `low` and `high` are Wilson's 95 % interval, in which an attack counts once however many samples it was
    tried on: its trials are not independent. None where no trial was scored.
    """

    name: str
    attacks: int
    rate: float | None
    low: float | None
    high: float | None
    trials: int
    unscored: int
    marked: int

    @classmethod
    def of(cls, name: str, trials: Iterable[Trial]) -> Rate:
        """The rate of a group of trials."""
        group = list(trials)
        by_attack: dict[str, list[bool]] = defaultdict(list)
        for trial in group:
            if trial.paid is not None:
                by_attack[trial.attack.id].append(trial.paid)
        attacks = len({trial.attack.id for trial in group})
        rest = (len(group), sum(t.paid is None for t in group), sum(t.marked for t in group))
        if not by_attack:
            return cls(name, attacks, None, None, None, *rest)
        rate = fmean(fmean(shares) for shares in by_attack.values())
        return cls(name, attacks, rate, *wilson(rate, len(by_attack), _LEVEL), *rest)

    def as_json(self) -> Json:
        """The rate for scripts."""
        ci = None if self.rate is None else [self.low, self.high]
        counts = {"attacks": self.attacks, "trials": self.trials, "unscored": self.unscored, "marked": self.marked}
        return {"name": self.name, "rate": self.rate, "ci": ci, **counts}

    @property
    def row(self) -> tuple[str, ...]:
        """The rate as a row of the table."""
        around = "" if self.low is None or self.high is None else f"{self.low:.1%} to {self.high:.1%}"
        shown = "none" if self.rate is None else f"{self.rate:.1%}"
        return self.name, str(self.attacks), shown, around, str(self.unscored), f"{self.marked} of {self.trials}"
