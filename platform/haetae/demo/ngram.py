"""A small character n-gram language model with interpolated Witten-Bell smoothing.

    P(c | h) = λ(h) · count(h c) / count(h) + (1 - λ(h)) · P(c | h without its first character)
    λ(h) = count(h) / (count(h) + kinds(h)),   kinds(h) = how many different characters followed h

(Witten and Bell, 1991; Chen and Goodman, 1998.) At the bottom stands a uniform distribution over all
Unicode scalar values, so that every text has a finite probability and all probabilities add up to 1.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from random import Random

SCALARS = 0x110000 - 0x800
"""The number of Unicode scalar values: what an unseen character is drawn from."""
TOP = 20
"""The most characters that are ranked at one place."""

BUILT_IN = (
    "The server answers every request that it accepts. A job waits in its queue until a worker takes it. "
    "If the worker fails, the job is tried again after a pause. The log shows when each job started and ended. "
    "주문하신 상품은 결제가 끝난 다음 날 출고됩니다. 배송이 늦어지면 문자로 알려 드립니다. "
    "환불은 상품을 받은 날부터 7일 안에 신청할 수 있습니다. 궁금한 점은 고객센터로 문의해 주세요."
)
"""What the model reads when it is given nothing else."""


class CharacterModel:
    """Trained once on the texts; immutable afterwards.

    `order` is the longest run of characters counted, the predicted one included.
    """

    def __init__(self, texts: Iterable[str] = (), order: int = 5) -> None:
        self._order = order
        self._followers: dict[str, Counter[str]] = {}
        for text in list(texts) or [BUILT_IN]:
            for at, character in enumerate(text):
                for size in range(min(order - 1, at) + 1):
                    self._followers.setdefault(text[at - size : at], Counter())[character] += 1
        self._totals = {history: followers.total() for history, followers in self._followers.items()}
        self._often = [character for character, _ in self._followers[""].most_common(TOP)]
        self._likeliest = lru_cache(maxsize=32_768)(self._rank)  # texts come back to the same few characters

    def logprob(self, history: str, character: str) -> float:
        """Natural log of P(character | history)."""
        history = history[max(0, len(history) - self._order + 1) :]
        probability = 1.0 / SCALARS
        for start in range(len(history), -1, -1):
            followers = self._followers.get(history[start:])
            if followers is None:
                break
            total, kinds = self._totals[history[start:]], len(followers)
            probability = (followers[character] + kinds * probability) / (total + kinds)
        return math.log(probability)

    def score(self, text: str) -> list[float]:
        """The log-probability of every character given those before it; the first given nothing."""
        return [self.logprob(text[max(0, at - self._order + 1) : at], text[at]) for at in range(len(text))]

    def top(self, history: str, count: int) -> list[tuple[str, float]]:
        """The `count` (at most `TOP`) likeliest next characters and their log-probabilities, best first.

        Exact: a character that never followed any ending of the history is no likelier than the
        commonest characters of all.
        """
        return self._likeliest(history[max(0, len(history) - self._order + 1) :])[:count]

    def _rank(self, history: str) -> list[tuple[str, float]]:
        shares: dict[str, float] = {}
        left = 1.0  # the share of probability that longer histories leave to shorter ones
        for start in range(len(history) + 1):
            followers = self._followers.get(history[start:])
            if followers is None:
                continue
            total, kinds = self._totals[history[start:]], len(followers)
            share = left / (total + kinds)
            if start == len(history):
                possible = {character: followers[character] for character in (*shares, *self._often)}
            else:
                possible = followers
            for character, times in possible.items():
                shares[character] = shares.get(character, 0.0) + share * times
            left = share * kinds
        best = heapq.nsmallest(TOP, shares.items(), key=lambda entry: (-entry[1], entry[0]))
        return [(character, math.log(share + left / SCALARS)) for character, share in best]

    def generate(self, prompt: str, count: int, temperature: float, random: Random) -> str:
        """`count` more characters: the likeliest at temperature 0, above it drawn from the `TOP` likeliest."""
        made = ""
        for _ in range(count):
            best = self.top(prompt[-self._order :] + made[-self._order :], TOP)
            if temperature <= 0:
                made += best[0][0]
                continue
            weights = [math.exp((logprob - best[0][1]) / temperature) for _, logprob in best]
            made += random.choices([character for character, _ in best], weights)[0]
        return made
