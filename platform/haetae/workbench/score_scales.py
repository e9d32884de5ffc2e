"""What score files tell of their metrics: a scale from 0 to 1 where all scores lie on it, else an open one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from haetae.catalog.score_columns import ScoreGroups
from haetae.core.metric import MetricFacts
from haetae.errors import ConfigError, DatasetError


@dataclass(frozen=True, slots=True)
class Scale:
    """A declared range in a metric's own units; None is an open end."""

    low: float | None
    high: float | None

    @classmethod
    def parse(cls, text: str) -> Scale:
        """`0:100`, `0:` or `:`. Raises ConfigError."""
        ends = text.split(":")
        try:
            low, high = (float(end) if end.strip() else None for end in ends)
        except ValueError:
            raise ConfigError(f"{text!r} is not a scale; expected LOW:HIGH, an open end left out (0:100, 0:)") from None
        given = [end for end in (low, high) if end is not None]
        if any(end - end != 0 for end in given) or (len(given) == 2 and given[0] >= given[1]):
            raise ConfigError(f"{text!r} is not a scale; the low end is below the high end, both finite")
        return cls(low, high)


def facts_of(
    files: Sequence[ScoreGroups], scales: Mapping[str, Scale], lower_is_better: frozenset[str]
) -> dict[str, MetricFacts]:
    """The facts of every metric of the files. A scale that is not declared is what the scores show.

    Raises DatasetError (file, line, field) for a score outside a declared scale, and for a metric that
    lies within 0 to 1 in one file and leaves it in another.
    """
    facts = {}
    for name in dict.fromkeys(key[-1] for groups in files for key in groups.keys):
        places = [(groups, key) for groups in files for key in groups.keys if key[-1] == name]
        declared = scales.get(name)
        if declared is None:
            beyond = [groups.outside(key, 0.0, 1.0) for groups, key in places]
            mixed = next((problem for problem in beyond if problem), None)
            if mixed is not None and not all(beyond):
                hint = f"; every score of another file lies on it. Mend the file, or declare: --scale {name}=LOW:HIGH"
                raise DatasetError(replace(mixed, message=mixed.message + hint))
            scale = Scale(None, None) if mixed else Scale(0.0, 1.0)
        else:
            wrong = [p for groups, key in places if (p := groups.outside(key, declared.low, declared.high))]
            if wrong:
                raise DatasetError(wrong)
            scale = declared
        facts[name] = MetricFacts(name, "", scale.low, scale.high, higher_is_better=name not in lower_is_better)
    return facts
