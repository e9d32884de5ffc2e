"""A cascade of validators as the target: the cheap ones first, and the first that decides is obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation, Stage, Usage
from haetae.core.guard import Check, Decision, GuardStage
from haetae.core.sample import Sample


class Cascade:
    """Answers `block` or `pass`, with one `Stage` for each that ran: its verdict, its score, its time, its price.

    The text is the sample's input, of a chat the last user turn. A stage stops it, lets it pass or leaves
    it to the next; where none decides, `default` is the answer. A stage that fails fails the sample: what it would
    have said is not known. The Failure keeps the stages that ran.
    """

    def __init__(self, stages: Mapping[str, GuardStage], default: Decision, clock: Clock) -> None:
        self._stages = dict(stages)
        self.stages = tuple(stages)
        self._default = default
        self._clock = clock
        self.free = all(stage.free for stage in self._stages.values())
        self.reusable = not self.free and all(stage.reusable for stage in self._stages.values())
        self.deterministic = all(stage.deterministic for stage in self._stages.values())

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """Every stage's own under its name, their order, and the default."""
        stages = {name: dict(stage.fingerprint) for name, stage in self._stages.items()}
        return {"kind": "guard", "default": self._default, "order": list(stages), "stages": stages}

    def request(self, sample: Sample) -> Json:
        """The text that is checked."""
        return sample.text

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """The decision on one text."""
        started = self._clock.monotonic()
        bill, ran = _Bill(), list[Stage]()
        for name, stage in self._stages.items():
            before = self._clock.monotonic()
            found = await stage.check(request)
            bill.add(found)
            took = self._clock.monotonic() - before
            if isinstance(found, Failure):
                ran.append(Stage(name, latency_s=took, cost_usd=found.cost_usd))
                return structs.replace(
                    found,
                    message=f"stage {name}: {found.message}",
                    usage=bill.usage,
                    cost_usd=bill.cost_usd,
                    stages=tuple(ran),
                )
            ran.append(Stage(name, None, found.flagged, found.score, took, found.cost_usd))
            if found.flagged is not None:
                break
        verdict = ran[-1].flagged
        return Generation(
            output=self._default if verdict is None else "block" if verdict else "pass",
            usage=bill.usage,
            cost_usd=bill.cost_usd,
            latency_s=self._clock.monotonic() - started,
            attempts=int(any(not self._stages[stage.name].free for stage in ran)),
            stages=tuple(ran),
        )

    async def aclose(self) -> None:
        """Nothing to give back: models belong to who resolved them."""


@dataclass(slots=True)
class _Bill:
    """What the stages cost together; one unknown price makes the sum unknown."""

    usage: Usage | None = None
    cost_usd: float | None = 0.0

    def add(self, found: Check | Failure) -> None:
        if found.usage is not None:
            self.usage = found.usage if self.usage is None else self.usage + found.usage
        unknown = found.cost_usd is None or self.cost_usd is None
        self.cost_usd = None if unknown else (self.cost_usd or 0.0) + (found.cost_usd or 0.0)
