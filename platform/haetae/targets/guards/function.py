"""A Python callable as a stage of a guard: a classifier, a library, anything that says something of a text."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from haetae.core.canonical import Json
from haetae.core.generation import Failure
from haetae.core.guard import Check, verdict_of
from haetae.engine.budget import Meter
from haetae.engine.functions import answered, code_digest
from haetae.errors import ConfigError

_HALF = 0.5
TEXT = ("text", "input")
"""What a function that lies outside the project calls the parameter that takes the text."""


class FunctionStage:
    """Calls a function, sync (in a thread of its own) or async, with the text.

    It returns a score, higher is worse: stopped from `block_from` (0.5 where nothing is said), let pass below
    `pass_below`, left to the next stage between. True is a score of 1, False of 0, None leaves the text to
    the next. Where each check has its own price it returns `{"score": …, "cost_usd": …}`. What it raises fails that
    sample only. Its code is fingerprinted; what else it rests on is not known, so no verdict of an earlier run is
    taken.
    """

    reusable = False
    deterministic = False

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        *,
        block_from: float | None,
        pass_below: float | None,
        cost_usd: float | None,
        timeout_s: float,
        meter: Meter,
    ) -> None:
        self._function = function
        self._name = name
        self._block_from = _HALF if block_from is None else block_from
        self._pass_below = pass_below
        self._cost_usd = cost_usd
        self._timeout_s = timeout_s
        self._meter = meter
        self._parameter = _parameter(function, name)
        self.free = cost_usd == 0

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The function's name, the SHA-256 of its module's source, and the thresholds."""
        return {
            "kind": "function",
            "function": self._name,
            "code": code_digest(self._function),
            "block_from": self._block_from,
            "pass_below": self._pass_below,
        }

    async def check(self, text: str) -> Check | Failure:
        """One call within the deadline. Raises BudgetExhausted before a call that could exceed the budget."""
        await self._meter.opened()
        try:
            found = await answered(self._function, {self._parameter: text}, self._name, self._timeout_s, self._read)
        except BaseException:
            self._meter.closed(None, None)
            raise
        self._meter.closed(None, found.cost_usd if isinstance(found, Check) else self._cost_usd)
        return found

    def _read(self, answer: Any) -> Check:
        """Raises TypeError or ValueError for what is no score."""
        cost = self._cost_usd
        if isinstance(answer, Mapping):
            unknown = answer.keys() - {"score", "cost_usd"}
            if unknown or "score" not in answer:
                raise TypeError(
                    f"a stage's mapping has score and cost_usd, not {', '.join(map(str, answer)) or 'none'}"
                )
            cost = cost if answer.get("cost_usd") is None else _number("cost_usd", answer["cost_usd"])
            answer = answer["score"]
        if cost is not None and cost < 0:
            raise ValueError(f"cost_usd is at least 0, got {cost}")
        if answer is None:
            return Check(None, cost_usd=cost)
        score = _number("the score", answer)
        return Check(verdict_of(score, self._block_from, self._pass_below), score, cost)


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)  # also a number of numpy or torch
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str) or not math.isfinite(number):
        raise TypeError(f"{what} is {value!r}; expected a finite number, true, false or None")
    return number


def _parameter(function: Callable[..., Any], name: str) -> str:
    """The parameter that takes the text."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind in by_name]
    except ValueError as exc:  # some built-in functions tell none
        raise ConfigError(f"{name} has no readable signature") from exc
    required = [p.name for p in parameters if p.default is p.empty]
    if len(required) > 1 or not parameters:
        raise ConfigError(f"{name} must take one text; it asks for {', '.join(required) or 'nothing'}")
    return required[0] if required else parameters[0].name
