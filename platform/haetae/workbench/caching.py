"""What is kept under HAETAE_HOME, and what reuse has saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from haetae.core.canonical import Json
from haetae.settings import Settings
from haetae.store.address import parse_url
from haetae.store.faults import place
from haetae.store.sizes import Held, Saved
from haetae.store.sql import SqlLedger
from haetae.workbench.columns import aligned
from haetae.workbench.words import counted

_KNOWN = {
    "datasets": "registered datasets",
    "given": "rows handed over by running programs",
    "rejects": "rows that runs left out",
    "mlflow.db": "MLflow's own store",
    "mlartifacts": "MLflow's own store",
    "wandb": "W&B's own store",
}


@dataclass(frozen=True)
class Cache:
    """Everything that is kept in the `folder`, and the ledger's `place`. `sizes` are bytes on disk by what they
    are for; `gaps` are those of the ledger that deleted rows left."""

    folder: str
    place: str
    sizes: Mapping[str, int]
    gaps: int
    held: Held
    saved: Sequence[Saved]
    half_pruned: Sequence[str]

    def as_json(self) -> Json:
        """The same for scripts."""
        total = asdict(self._total)
        return {
            "folder": self.folder,
            "ledger": self.place,
            "bytes": dict(self.sizes),
            "bytes_to_reuse": self.gaps,
            "holds": asdict(self.held),
            "saved": {name: total[name] for name in ("answers", "judgements", "calls", "tokens", "cost_usd")},
            "saved_by": [asdict(part) for part in self.saved],
            "half_pruned": list(self.half_pruned),
        }

    @property
    def text(self) -> str:
        """Plain text for a terminal."""
        held = self.held
        sizes = [(name, size_text(size)) for name, size in self.sizes.items()]
        lines = [
            self.folder if self.place.startswith(self.folder) else f"{self.folder}, and {self.place}",
            *(f"  {line}" for line in aligned(("in all", size_text(sum(self.sizes.values()))), sizes)),
            *([f"  {size_text(self.gaps)} of the ledger are gaps that new rows take first"] if self.gaps else []),
            "",
            f"{counted(held.runs, 'run')}, {counted(held.samples, 'sample')}, {counted(held.answers, 'answer')}, "
            f"{counted(held.scores, 'score')}",
            f"to be reused: {counted(held.reusable_answers, 'answer')}, "
            f"{counted(held.reusable_judgements, 'judgement')}",
            self._saving,
        ]
        if self.saved:
            header = ("suite", "month", "answers", "judgements", "calls", "tokens", "cost")
            rows = [
                (
                    s.suite,
                    s.month,
                    *(f"{n:,}" for n in (s.answers, s.judgements, s.calls, s.tokens)),
                    _dollars(s.cost_usd),
                )
                for s in self.saved
            ]
            lines += ["", *aligned(header, rows)]
        if self.half_pruned:
            lines += [
                "",
                f"a prune has yet to delete {counted(len(self.half_pruned), 'run')}: haetae cache prune goes on",
            ]
        return "\n".join(lines)

    @property
    def _saving(self) -> str:
        total = self._total
        if not self.saved:
            return "nothing was reused so far"
        return (
            f"reused so far: {counted(total.answers, 'answer')}, {counted(total.judgements, 'judgement')}; that saved "
            f"{counted(total.calls, 'call')}, {counted(total.tokens, 'token')}, {_dollars(total.cost_usd)}"
        )

    @cached_property
    def _total(self) -> Saved:
        costs = [part.cost_usd for part in self.saved if part.cost_usd is not None]
        names = ("answers", "judgements", "calls", "tokens")
        sums = {name: sum(getattr(part, name) for part in self.saved) for name in names}
        return Saved("", "", **sums, cost_usd=sum(costs) if costs else None)


def cache_of(ledger: SqlLedger, settings: Settings) -> Cache:
    """What is there now."""
    return Cache(
        folder=str(settings.home),
        place=ledger.place,
        sizes=_sizes(ledger, settings),
        gaps=ledger.free(),
        held=ledger.held(),
        saved=ledger.saved(),
        half_pruned=ledger.pruned(),
    )


def size_text(size: int) -> str:
    """`12.3 MB`, of a thousand thousand bytes each."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000  # type: ignore[assignment]  # a number for people
    return f"{size:,} bytes" if unit == "bytes" else f"{size:,.1f} {unit}"


def _sizes(ledger: SqlLedger, settings: Settings) -> dict[str, int]:
    """Bytes by what they are for: the ledger first, then all else that lies in the home."""
    sizes = {"ledger": ledger.disk()}
    address = parse_url(settings.ledger)
    ours: dict[Path, str] = {}
    if address.get_backend_name() == "sqlite":
        file = Path(place(address))
        ours = {file: "ledger"}
        ours |= {file.with_name(file.name + end): "ledger's log (WAL)" for end in ("-wal", "-shm")}
        ours |= dict.fromkeys(file.parent.glob(f"{file.name}.pace*"), "pace of endpoints")
        ours |= dict.fromkeys(file.parent.glob(f"{file.name}*.bak"), "copies of the ledger")
    there = sorted(settings.home.iterdir()) if settings.home.is_dir() else []
    for path in dict.fromkeys([*ours, *(entry.resolve() for entry in there)]):
        if path.exists() and ours.get(path) != "ledger":
            name = ours.get(path) or _KNOWN.get(path.name, path.name)
            sizes[name] = sizes.get(name, 0) + _bytes(path)
    return sizes


def _bytes(path: Path) -> int:
    """What lies in a file or a folder; a link is not followed."""
    if path.is_dir() and not path.is_symlink():
        return sum(_bytes(entry) for entry in path.iterdir())
    return path.lstat().st_size


def _dollars(cost: float | None) -> str:
    return "cost unknown" if cost is None else f"${cost:,.4f}"
