"""Where a run stops before it spends more."""

from __future__ import annotations

from dataclasses import dataclass

from haetae.core.generation import Usage
from haetae.core.suite import BudgetSpec
from haetae.errors import HaetaeError


class BudgetExhausted(HaetaeError):
    """The next call could exceed the budget: the run stops, what was done is kept."""


@dataclass
class Meter:
    """Counts what a run spends, and refuses the call that could exceed the budget.

    A call under way is expected to cost what the dearest finished call did.
    """

    budget: BudgetSpec | None = None
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    _open: int = 0
    _dearest_tokens: int = 0
    _dearest_usd: float = 0.0

    def opened(self) -> None:
        """A call is about to start. Raises BudgetExhausted when it could exceed the budget."""
        self._check()
        self.calls += 1
        self._open += 1

    def closed(self, usage: Usage | None, cost_usd: float | None) -> None:
        """A call has ended."""
        self._open -= 1
        if usage:
            self.tokens += usage.total
            self._dearest_tokens = max(self._dearest_tokens, usage.total)
        if cost_usd is None:
            self.unpriced += 1
        else:
            self.usd += cost_usd
            self._dearest_usd = max(self._dearest_usd, cost_usd)

    def _check(self) -> None:
        if self.budget is None:
            return
        ahead = self._open + 1
        planned = {
            "calls": (self.calls + 1, self.budget.calls),
            "tokens": (self.tokens + ahead * self._dearest_tokens, self.budget.tokens),
            "usd": (self.usd + ahead * self._dearest_usd, self.budget.usd),
        }
        for name, (amount, limit) in planned.items():
            if limit is not None and amount > limit:
                spent = f"{self.calls} calls, {self.tokens} tokens, ${self.usd:.4f} spent"
                raise BudgetExhausted(f"budget.{name}: {limit:g} is reached ({spent})")
