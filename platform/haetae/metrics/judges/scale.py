"""The scale of a judge: any number between two ends, whole steps, or labels that stand for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from haetae.core.canonical import Json
from haetae.core.sample import Message
from haetae.errors import ConfigError
from haetae.metrics.choices import bounds, flag
from haetae.metrics.judges.asking import shipped_prompt
from haetae.metrics.judges.reply import number
from haetae.metrics.text import nfc

ScaleSpec: TypeAlias = tuple[float, float] | list[float] | dict[str, float]
"""How a suite writes a scale: `[1, 5]`, or `{good: 1, bad: 0}`."""

_REASONING: dict[str, Json] = {"reasoning": {"type": "string"}}


class Scale:
    """What a judge answers with: `[low, high]`, with `steps` its whole numbers only, or labels.

    `schema` and `form` ask for the answer, the reasoning first; `read` takes the score from it. `written`
    is the scale as a suite writes it, `prompt` the digest of the form. `steps` are the numbers that an
    answer can have, none where every number between the ends is one.
    """

    def __init__(self, metric: str, scale: ScaleSpec, steps: bool = False) -> None:
        self.labels = _labels(metric, scale) if isinstance(scale, Mapping) else {}
        self.low, self.high = bounds(metric, _ends(self.labels) if self.labels else scale)
        self.steps: tuple[float, ...] = tuple(sorted({*self.labels.values()}))
        if flag(metric, "steps", steps):
            if self.labels:
                raise ConfigError(f"{metric}: steps are for a scale [low, high]; labels are steps already")
            self.steps = _whole_steps(metric, self.low, self.high)
        self.written: Json = self.labels or [*scale]
        name = "grade-label.md" if self.labels else "grade-step.md" if self.steps else "grade.md"
        shown = {"low": f"{self.low:g}", "high": f"{self.high:g}", "labels": ", ".join(self.labels)}
        self.form: Message = shipped_prompt(name).render(shown, "")[0]
        self.prompt = shipped_prompt(name).digest
        self.schema = _schema(self)

    def read(self, found: dict[str, Json]) -> tuple[float, str | None]:
        """The score and the reasoning in a judge's object. Raises ValueError for one of the wrong shape."""
        reasoning = found.get("reasoning")
        return self._score(found), reasoning if isinstance(reasoning, str) else None

    def _score(self, found: dict[str, Json]) -> float:
        if self.labels:
            said = found.get("label")
            known = {_plain(label): value for label, value in self.labels.items()}
            if not isinstance(said, str) or _plain(said) not in known:
                raise ValueError(f"label is {said!r}, not one of {', '.join(self.labels)}")
            return known[_plain(said)]
        score = number(found.get("score"))
        if score is None:
            raise ValueError(f"score is {found['score']!r}, not a number" if "score" in found else "there is no score")
        if self.steps and not score.is_integer():
            raise ValueError(f"score is {score:g}, not a whole number")
        return score


def _schema(scale: Scale) -> Json:
    verdict: dict[str, Json] = {"type": "string", "enum": [*scale.labels]}
    if not scale.labels:
        verdict = {"type": "integer" if scale.steps else "number", "minimum": scale.low, "maximum": scale.high}
    name = "label" if scale.labels else "score"
    return {
        "title": "grade",
        "type": "object",
        "properties": {**_REASONING, name: verdict},
        "required": ["reasoning", name],
        "additionalProperties": False,
    }


def _labels(metric: str, scale: Mapping[str, float]) -> dict[str, float]:
    """The labels in NFC with their numbers, the best first."""
    found = {nfc(label): number(value) for label, value in scale.items()}
    values = {label: value for label, value in found.items() if value is not None and label.strip()}
    if len({*map(_plain, values)}) != len(scale) or len({*values.values()}) < 2:
        raise ConfigError(
            f"{metric}: scale {dict(scale)!r}: labels are two or more different names, each with a number and not all "
            "with the same, such as {good: 1, bad: 0}"
        )
    return dict(sorted(values.items(), key=lambda item: (-item[1], item[0])))


def _ends(labels: Mapping[str, float]) -> list[float]:
    return [min(labels.values()), max(labels.values())]


def _whole_steps(metric: str, low: float, high: float) -> tuple[float, ...]:
    if not (low.is_integer() and high.is_integer()) or high - low > 100:
        raise ConfigError(f"{metric}: scale [{low:g}, {high:g}] has no whole steps: use ends such as [1, 5]")
    return tuple(map(float, range(int(low), int(high) + 1)))


def _plain(label: str) -> str:
    return nfc(label).strip().casefold()
