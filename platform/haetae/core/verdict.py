"""Estimate, Difference, Comparison, Verdict: what is said of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from haetae.core.canonical import Json

IMPROVED = "significant improvement"
"""The note of a column whose rise of quality is significant over the family."""


class Verdict(StrEnum):
    """What a comparison says."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    NO_VERDICT = "no verdict"

    @property
    def exit_code(self) -> int:
        """What a command-line door exits with: only a regression is 1, only no verdict is 3."""
        return {Verdict.REGRESSION: 1, Verdict.NO_VERDICT: 3}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value over a run or one slice of it, in the metric's own units.

    `slice` is "" for the whole run, else `key=value`. `low` and `high` bound the interval at `level`
    by `method` (`wilson`, `t`, `bootstrap`). An estimate of nothing has value None, not 0.
    `detectable_drop` is the smallest true drop that a paired comparison on this many samples would
    find with probability .8, in the metric's own units.
    """

    metric: str
    slice: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    unscored: int
    level: float = 0.95
    method: str = "t"
    detectable_drop: float | None = None

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric × slice of a comparison, in the metric's own units, candidate − baseline.

    `low` and `high` bound `delta` at 95 %. `margin` is the tolerance, in
    the metric's own units like all else, None where only a floor or ceiling is gated. `p_drop` is the one-sided
    evidence of a drop and `p_drop_adjusted` the same, adjusted over the whole family; `p_noninferior`
    is the evidence that the drop is smaller than the margin. `needed` is how many samples would settle
    an inconclusive column, None when it is settled. `note` says what a reader should know: `tolerated
    drop`, `significant improvement`, `below the floor`, `judge-corrected with 80 labelled pairs`: then `delta`
    and its bounds are the change in human scores, `baseline` and `candidate` still the judge's.
    """

    metric: str
    slice: str
    n: int
    baseline: float | None
    candidate: float | None
    delta: float | None
    low: float | None
    high: float | None
    margin: float | None
    p_drop: float | None
    p_drop_adjusted: float | None
    p_noninferior: float | None
    verdict: Verdict
    needed: int | None = None
    note: str = ""

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mover:
    """A sample whose score changed, in the metric's own units."""

    sample_id: str
    metric: str
    baseline: float
    candidate: float

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate run against its baseline, per metric and slice, and over all.

    `reason` says in one sentence why the verdict is what it is. `changed` names what differs between
    the fingerprints of the runs (`target.prompt: support-answer@3 → support-answer@4`). `moved` is
    the attribution in words (`prompt`, `model`, `dataset`, `judge`, `decoding`, `code`, `noise`).
    `restricted` says that only the common samples were compared, on request. `note`
    says at which look a sequential gate decided, and what that saved.
    """

    suite: str
    candidate: str
    baseline: tuple[str, ...]
    verdict: Verdict
    reason: str
    alpha: float = 0.05
    differences: tuple[Difference, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    movers: tuple[Mover, ...] = ()
    warnings: tuple[str, ...] = ()
    restricted: bool = False
    note: str = ""

    @property
    def more_samples_needed(self) -> int | None:
        """How many more samples would settle an inconclusive comparison, None when it is settled.

        Slices do not count: a pass rests on whole runs.
        """
        missing = [d.needed - d.n for d in self.differences if d.needed is not None and not d.slice]
        return max(missing) if missing and self.verdict is Verdict.INCONCLUSIVE else None

    def as_json(self) -> Json:
        return {
            "suite": self.suite,
            "candidate": self.candidate,
            "baseline": list(self.baseline),
            "verdict": self.verdict.value,
            "reason": self.reason,
            "alpha": self.alpha,
            "more_samples_needed": self.more_samples_needed,
            "differences": [d.as_json() for d in self.differences],
            "changed": list(self.changed),
            "moved": list(self.moved),
            "movers": [m.as_json() for m in self.movers],
            "warnings": list(self.warnings),
            "restricted": self.restricted,
            "note": self.note,
        }


def comparison_from_json(value: Mapping[str, Json]) -> Comparison:
    """Read back what `Comparison.as_json` wrote."""
    rest = {k: v for k, v in value.items() if k != "more_samples_needed"}
    return Comparison(
        **{
            **rest,
            "baseline": tuple(value["baseline"]),
            "verdict": Verdict(value["verdict"]),
            "differences": tuple(Difference(**{**d, "verdict": Verdict(d["verdict"])}) for d in value["differences"]),
            "changed": tuple(value["changed"]),
            "moved": tuple(value["moved"]),
            "movers": tuple(Mover(**m) for m in value["movers"]),
            "warnings": tuple(value["warnings"]),
        }
    )


def lies_mostly_in(part: tuple[int, float], whole: tuple[int, float]) -> bool:
    """Whether a change of a mean lies mostly in a part: the other samples changed by half as much, at most.

    Both are (number of samples, change of their mean). Where all changed alike it lies in no part of them.
    """
    (n, delta), (total, of_all) = part, whole
    if n >= total or delta == 0:
        return False
    of_rest = (total * of_all - n * delta) / (total - n)
    return of_rest / delta <= 0.5
