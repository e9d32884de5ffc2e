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
from collections.abc import Hashable, Mapping, Sequence
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
RULES = ("exact", "text", "number", "ignore")

_Compared = tuple[str, Mapping[str, object]]
"""The name of a tool and, of every argument that counts, what is equal where two values agree."""

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

    def compared(self, calls: Sequence[ToolCall]) -> list[_Compared]:
        """The calls as they are compared, with all names in NFC. Equal arguments are the same number in all that one
        list of calls holds, so that a pair of calls costs nothing for how large they are."""
        numbers: dict[Hashable, int] = {}
        found = list[_Compared]()
        for call in calls:
            tool, arguments = nfc(call.name), dict[str, object]()
            for name, value in call.arguments.items() if self.mode != "names" else ():
                rule = self.rules.get(f"{tool}.{nfc(name)}", self.rules.get(nfc(name), "exact"))
                if rule == "number":
                    arguments[nfc(name)] = _Near(_number(value))
                elif rule != "ignore":  # which also lets it be absent
                    key = _same_text(value) if rule == "text" else same_json(value)
                    arguments[nfc(name)] = numbers.setdefault(key, len(numbers))
            found.append((tool, arguments))
        return found

    def holds(self, made: _Compared, expected: _Compared) -> bool:
        """Whether one call answers the other."""
        (name, got), (wished, wanted) = made, expected
        if name != wished:
            return False
        return wanted.items() <= got.items() if self.mode == "subset" else got == wanted


def same_json(value: Json) -> Hashable:
    """What is equal for two values that are the same JSON: types count, the form of a number or of Unicode does not."""
    if isinstance(value, bool):
        return bool, value  # no list begins with a type
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, Mapping):
        return frozenset({nfc(name): same_json(inner) for name, inner in value.items()}.items())
    if isinstance(value, list | tuple):
        return tuple(map(same_json, value))
    return value  # type: ignore[no-any-return]  # a number or null


def _same_text(value: Json) -> Hashable:
    """What is equal for texts that are the same but for case and blanks."""
    return nfc(" ".join(value.split()).casefold()) if isinstance(value, str) else same_json(value)


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """A number, also one written as text, that equals another within rounding; nothing equals what is no number."""

    value: float | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Near) or self.value is None or other.value is None:
            return False
        return math.isclose(self.value, other.value, rel_tol=_CLOSE)

    __hash__ = None  # type: ignore[assignment]  # two that are near need not be near to the same third


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def matched(made: Sequence[ToolCall], expected: Sequence[ToolCall], agreement: Agreement, *, in_order: bool) -> int:
    """How many expected calls are answered at most; `in_order` only by calls that come in their order."""
    compared = agreement.compared([*made, *expected])
    did, should = compared[: len(made)], compared[len(made) :]
    fits = [[place for place, call in enumerate(did) if agreement.holds(call, wanted)] for wanted in should]
    return longest_in_order(fits, len(made)) if in_order else maximum_matching(fits)
