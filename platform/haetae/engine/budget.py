"""Where a run stops before it spends more: the one gate that every call passes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from haetae.core.generation import Usage
from haetae.core.run import Spent, Unkept
from haetae.core.suite import BudgetSpec
from haetae.engine.patience.stopping import Stop
from haetae.errors import HaetaeError


class BudgetExhausted(HaetaeError):
    """The next call could exceed the budget: the run stops, what was done is kept. `field` is what limits it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


_USED_UP = re.compile(r"the budget of .+ is used up \(")


def is_used_up(note: str | None) -> bool:
    """Whether a run's note says that its budget ended it."""
    return note is not None and _USED_UP.match(note) is not None


@dataclass
class Meter:
    """Counts what a run spends, and refuses the call that could exceed the budget, or that comes after `stop`.

    `broken_off` counts calls that had no answer when the run had to end: they may be billed all the same.
    A call under way is expected to cost what the dearest finished call did; under a budget of money or
    tokens the first call goes alone, as nothing says yet what a call may cost.
    """

    budget: BudgetSpec | None = None
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    broken_off: int = 0
    stop: Stop = field(default_factory=Stop)
    _open: int = 0
    _priced: bool = False
    _dearest_tokens: int = 0
    _dearest_usd: float = 0.0
    _known: bool = False
    _share: dict[str, float] | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def go_on_from(self, spent: Spent) -> None:
        """Count what a run that is continued has spent before: its budget is for the whole of it."""
        self.calls += spent.calls
        self.tokens += spent.tokens
        self.usd += spent.cost_usd or 0.0
        self._priced = self._priced or spent.cost_usd is not None

    def allow(self, share: Mapping[str, float]) -> None:
        """From now on at most so much more may be spent, for each limit of the budget: others spend the rest of it."""
        self._share = {name: self.counts[name] + left for name, left in share.items()}

    @property
    def counts(self) -> dict[str, float]:
        """What was spent, by the names of a budget's limits."""
        return {"usd": self.usd, "calls": self.calls, "tokens": self.tokens}

    @property
    def _limits(self) -> dict[str, float]:
        """Where each count has to end."""
        if self._share is not None or self.budget is None:
            return self._share or {}
        return self.budget.model_dump(exclude_none=True)

    def beyond(self, spent: Spent) -> Unkept:
        """What was spent over what a run tells of."""
        usd = round(self.usd - (spent.cost_usd or 0.0), 9)
        return Unkept(max(0, self.calls - spent.calls), max(0, self.tokens - spent.tokens), max(0.0, usd))

    async def opened(self) -> None:
        """A call is about to start. Raises BudgetExhausted when it could exceed the budget, Stopped after `stop`."""
        while self._blind and self._open:
            self._ended.clear()
            await self._ended.wait()
        self.stop.check()
        self._check()
        self.calls += 1
        self._open += 1

    def closed(self, usage: Usage | None, cost_usd: float | None) -> None:
        """A call has ended."""
        self._open -= 1
        self._known = self._known or usage is not None or cost_usd != 0.0
        self._ended.set()
        if usage:
            self.tokens += usage.total
            self._dearest_tokens = max(self._dearest_tokens, usage.total)
        if cost_usd is None:
            self.unpriced += 1
        else:
            self.usd += cost_usd
            self._priced = self._priced or cost_usd > 0 or usage is not None
            self._dearest_usd = max(self._dearest_usd, cost_usd)

    def broke_off(self) -> None:
        """A call was given up before its answer."""
        self.closed(None, None)
        self.broken_off += self.stop.why is not None

    @property
    def cost_usd(self) -> float | None:
        """What the calls cost that ended with a known price, None while none did."""
        return self.usd if self._priced else None

    @property
    def left(self) -> dict[str, float]:
        """What may still be spent, for each limit of the budget."""
        spent = self.counts
        return {name: max(0.0, limit - spent[name]) for name, limit in self._limits.items()}

    @property
    def _blind(self) -> bool:
        """Whether nothing says yet what a call may cost, and it matters."""
        limited = self.budget is not None and (self.budget.usd is not None or self.budget.tokens is not None)
        return limited and not self._known

    def _check(self) -> None:
        if self.budget is None:
            return
        ahead = self._open + 1
        planned = {
            "calls": self.calls + 1,
            "tokens": self.tokens + ahead * self._dearest_tokens,
            "usd": self.usd + ahead * self._dearest_usd,
        }
        limits = self._limits
        for name, amount in planned.items():
            if name in limits and amount > limits[name]:
                raise BudgetExhausted(self._used_up(name, getattr(self.budget, name)), f"budget.{name}")

    def _used_up(self, name: str, limit: float) -> str:
        spent = {"calls": f"{self.calls:,}", "tokens": f"{self.tokens:,}", "usd": f"${self.usd:,.4f}"}[name]
        by = "spent" if self._share is None else "spent by this process, what others may is theirs"
        whole = f"${limit:,.10g}" if name == "usd" else f"{limit:,} {name if limit != 1 else name[:-1]}"
        return f"the budget of {whole} is used up ({spent} {by}, the next call could exceed it)"
