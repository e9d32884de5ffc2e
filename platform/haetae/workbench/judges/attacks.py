"""The attacks that ship: texts that try to talk a judge into a good score, as data in `datasets/attacks`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from haetae.core.canonical import loads
from haetae.core.metric import MetricFacts
from haetae.workbench.shipped import shipped

HARMLESS = "harmless"
"""The family of controls: text round an answer that asks for nothing. What pays all the same is the judge's noise."""

_ANSWER, _BEST = "{{ answer }}", "{{ high }}"


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `text` holds `{{ answer }}` where it goes round an answer, and `{{ high }}` for the best score.

    An attack without an answer is a master key: it is the whole answer, says nothing, and is worth the
    worst score (Zhao et al., "One Token to Fool LLM-as-a-Judge", arXiv 2507.08794, 2025).
    """

    id: str
    family: str
    language: str
    text: str

    @property
    def is_key(self) -> bool:
        """Whether it stands for the answer instead of round it."""
        return _ANSWER not in self.text

    def on(self, answer: str, facts: MetricFacts) -> str:
        """The answer under attack, as a judge on this metric's scale is to see it."""
        best = facts.high if facts.higher_is_better else facts.low
        return self.text.replace(_BEST, f"{best:g}").replace(_ANSWER, answer)


@cache
def shipped_attacks() -> tuple[Attack, ...]:
    """All that ship: injections first, then master keys, then controls."""
    folder, names = shipped("attacks"), ("injections", "master-keys", "controls")
    lines = [line for name in names for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]
    return tuple(Attack(**loads(line)) for line in lines)
