"""Which of the calls that an agent made are calls that it should have made.

The calls are those of the transcript in its order, without those that stand in turns it was given; where the
transcript holds none, those of the answer itself. A call answers an expected one of the same tool whose
arguments agree. Each call answers one expected call at most. Without regard to order as many as possible are
paired (a maximum matching): what comes first in a list takes no other call's place.

Arguments agree by a mode, and by a rule of their own where one is named for them:

    exact    the same arguments with equal values, none more
    subset   every expected argument with an equal value; more are allowed
    names    whatever they are

Values are equal as JSON: 1 is 1.0 and is neither "1" nor true; texts are compared in NFC.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from haetae.core.canonical import Json
from haetae.core.generation import Generation
from haetae.core.sample import Sample, ToolCall
from haetae.errors import ConfigError
from haetae.metrics.agents.matching import longest_in_order, maximum_matching
from haetae.metrics.agents.transcript import written
from haetae.metrics.choices import one_of
from haetae.metrics.text import nfc

Mode = Literal["exact", "subset", "names"]
MODES: tuple[Mode, ...] = ("exact", "subset", "names")

_CLOSE = 1e-9
"""How far, relative to the larger, two numbers of the rule `number` may be apart."""


def calls_made(sample: Sample, generation: Generation) -> tuple[ToolCall, ...]:
    """The calls of the turns that the agent wrote, in order; else those of its answer."""
    called = [call for turn in written(sample, generation) for call in turn.tool_calls]
    return tuple(called) or generation.tool_calls or ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """When a call answers an expected one: a mode for all arguments, and rules for named ones.

    A rule is named by `argument`, or by `tool.argument` for one tool alone.
    """

    mode: Mode
    rules: Mapping[str, str]

    @classmethod
    def of(cls, metric: str, mode: object, rules: Mapping[str, str]) -> Agreement:
        """Raises ConfigError for a mode or a rule that there is not."""
        one_of(metric, "arguments", mode, MODES)
        for name, rule in rules.items():
            one_of(metric, f"rules.{name}", rule, RULES)
        if rules and mode == "names":
            raise ConfigError(f"{metric}: rules compare arguments, and arguments: names compares none; choose one")
        return cls(mode, dict(rules))  # type: ignore[arg-type]  # narrowed above

    def holds(self, made: ToolCall, expected: ToolCall) -> bool:
        """Whether one call, its names in NFC, answers the other."""
        if made.name != expected.name:
            return False
        if self.mode == "names":
            return True
        got, wanted = made.arguments, expected.arguments
        names = wanted if self.mode == "subset" else {**wanted, **got}
        return all(self._agrees(expected.name, name, got, wanted) for name in names)

    def _agrees(self, tool: str, name: str, got: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
        rule = self.rules.get(f"{tool}.{name}", self.rules.get(name, "exact"))
        if rule == "ignore":
            return True
        return name in got and name in wanted and RULES[rule](got[name], wanted[name])


def _composed(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """The calls with the names of tools and arguments in NFC."""
    return [ToolCall(nfc(call.name), {nfc(name): value for name, value in call.arguments.items()}) for call in calls]


def same_json(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: types count, the form of a number or of Unicode does not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return nfc(one) == nfc(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        ones, others = ({nfc(name): value for name, value in each.items()} for each in (one, other))
        return ones.keys() == others.keys() and all(same_json(ones[name], others[name]) for name in ones)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def _same_text(one: Json, other: Json) -> bool:
    """Texts but for case and blanks."""
    if not isinstance(one, str) or not isinstance(other, str):
        return same_json(one, other)
    return nfc(" ".join(one.split()).casefold()) == nfc(" ".join(other.split()).casefold())


def _same_number(one: Json, other: Json) -> bool:
    """Numbers, also written as text, within rounding."""
    first, second = _number(one), _number(other)
    return first is not None and second is not None and math.isclose(first, second, rel_tol=_CLOSE)


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


RULES: Mapping[str, Callable[[Json, Json], bool]] = {
    "exact": same_json,
    "text": _same_text,
    "number": _same_number,
    "ignore": lambda one, other: True,
}
"""`ignore` also lets the argument be absent."""


def matched(made: Sequence[ToolCall], expected: Sequence[ToolCall], agreement: Agreement, *, in_order: bool) -> int:
    """How many expected calls are answered at most; `in_order` only by calls that come in their order."""
    made, expected = _composed(made), _composed(expected)
    fits = [[place for place, call in enumerate(made) if agreement.holds(call, wanted)] for wanted in expected]
    return longest_in_order(fits, len(made)) if in_order else maximum_matching(fits)
