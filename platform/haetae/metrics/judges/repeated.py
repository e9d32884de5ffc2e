"""One answer judged several times: the mean, with every single score kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from statistics import fmean

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import whole
from haetae.metrics.judges.asking import UnansweredError
from haetae.metrics.judges.reply import number
from haetae.metrics.text import settle

Judgement = tuple[float, str | None]
"""A score and its reasoning."""


class Decoding:
    """How a judge is asked: `samples` times, at a temperature, with a limit of tokens.

    Without a `temperature` one judgement is asked for at 0, several at 1, where they differ as the judge
    doubts. With a `seed` the calls have seeds of their own, counted up from it.
    """

    def __init__(
        self, metric: str, samples: int, temperature: float | None, max_tokens: int, seed: int | None = None
    ) -> None:
        self.samples = whole(metric, "samples", samples, 1, 100)
        self.usual = 0.0 if samples == 1 else 1.0
        self.temperature = self.usual if temperature is None else temperature
        if number(self.temperature) is None or not 0 <= self.temperature <= 2:
            raise ConfigError(f"{metric}: temperature {temperature!r} is not a number from 0 to 2")
        self.temperature = float(self.temperature)
        self.max_tokens = whole(metric, "max_tokens", max_tokens, 1, 10**6)
        self.seed = None if seed is None else whole(metric, "seed", seed, 0, 2**31 - 101)

    @property
    def signature(self) -> dict[str, Json]:
        """What of it fixes the numbers of a metric."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}

    def of_call(self, place: int) -> dict[str, Json]:
        """The parameters of the call at this place, from 0."""
        return self.signature if self.seed is None else {**self.signature, "seed": self.seed + place}


async def mean_of(times: int, low: float, high: float, judge: Callable[[int], Awaitable[Judgement]]) -> Score:
    """The mean of what `judge` says of an answer, called `times` times with its place.

    The single scores are the score's statistics where it is asked more than once. Half of the calls
    without a readable score, and the answer is unscored: the rest would speak for what the judge finds easy.
    """
    said: list[Judgement] = []
    faults: list[UnansweredError] = []
    for place in range(times):
        try:
            said.append(await judge(place))
        except UnansweredError as fault:
            faults.append(fault)
            if 2 * len(faults) >= times:
                return unscored(faults, f" ({len(faults)} of {place + 1} calls)" if times > 1 else "")
    scores = [score for score, _ in said]
    if times == 1:
        return Score(scores[0], explanation=said[0][1])
    listed = ", ".join(f"{score:g}" for score in scores)
    lost = f"; {len(faults)} calls without a score" if faults else ""
    reasoning = next((text for _, text in said if text), "")
    return Score(
        settle(fmean(scores), low, high),
        stats=tuple(scores),
        explanation=f"mean of {listed}{lost}\n{reasoning}".strip(),
    )


def unscored(faults: Sequence[UnansweredError], more: str = "") -> Score:
    """Why there is no score: an endpoint's weather first, which a continued run asks again about."""
    fault = next((fault for fault in faults if fault.reason == reasons.JUDGE_FAILED), faults[0])
    return Score.unscored(fault.reason, f"{fault}{more}")
