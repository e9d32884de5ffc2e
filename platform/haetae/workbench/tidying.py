"""What a ledger needs every night: old runs pruned, what a stopped prune left finished, its file written anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from haetae.core.run import RunStatus
from haetae.store.pruning.compacting import compact
from haetae.store.sql import SqlLedger
from haetae.workbench.caching import size_text
from haetae.workbench.old_runs import chosen
from haetae.workbench.words import counted

_NAMES = {"run": "run", "generation": "answer", "score": "score", "sample": "sample"}
_MOST_NAMED = 5


@dataclass(frozen=True)
class Tidied:
    """What was done. `deleted` counts rows by table, `kept` are old runs that stay and why, `left` are runs whose
    process died and that nobody has taken up, `bytes` the size of the file before and after it was written anew."""

    deleted: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    left: Sequence[str] = ()
    bytes: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """A line for each, for people."""
        counts = [counted(count, _NAMES[table]) for table, count in self.deleted.items() if count and table in _NAMES]
        lines = [f"deleted: {', '.join(counts) or 'nothing'}"]
        lines += [f"kept {run}: {why}" for run, why in list(self.kept.items())[:_MOST_NAMED]]
        if len(self.kept) > _MOST_NAMED:
            lines.append(f"kept {len(self.kept) - _MOST_NAMED:,} more")
        if self.left:
            more = f" and {len(self.left) - _MOST_NAMED:,} more" if len(self.left) > _MOST_NAMED else ""
            named = ", ".join(self.left[:_MOST_NAMED])
            lines.append(f"left by processes that died: {named}{more}; go on with one: haetae resume {self.left[0]}")
        if self.bytes is not None:
            lines.append(f"the ledger was {size_text(self.bytes[0])}, it is {size_text(self.bytes[1])}")
        return "\n".join(lines)


def tidy(ledger: SqlLedger, url: str, now: datetime, keep_days: int | None, *, compacting: bool) -> Tidied:
    """`tidy` of `haetae.workbench.bench.Workbench`, of the ledger at `url`."""
    old = [] if keep_days is None else chosen(ledger, before=now - timedelta(days=keep_days))
    kept = ledger.kept([run.id for run in old])
    going = [run.id for run in old if run.id not in kept]
    deleted = ledger.prune(going) if going or ledger.pruned() else {}
    left = [
        one.run.id
        for one in ledger.unfinished_runs()
        if one.run.status is RunStatus.RUNNING and one.worked_on_by is None
    ]
    return Tidied(deleted, kept, left, compact(url) if compacting else None)
