"""The pace at which an endpoint may be asked: what it tells in headers, and the port by which processes share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Quota:
    """What an endpoint says of one of its quotas.

    `left` of it is left until `reset_s` seconds from now, when there are `limit` again (None where it is not said).
    """

    left: int
    reset_s: float
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the headers of one reply say; None where nothing readable is said."""

    requests: Quota | None = None
    tokens: Quota | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What was reserved: to be used from `in_s` seconds from now on. Nobody may ask for another `held_s` seconds."""

    in_s: float
    held_s: float


class Pacing(Protocol):
    """The pace of endpoints, kept for all suites and processes together.

    An endpoint has two lanes, of requests and of tokens, and time on each is given away once: whoever reserves
    gets the first moment at which both are free. What is reserved and not used expires with its time.
    """

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        """Take so many seconds of each lane."""
        ...

    def hold(self, endpoint: str, seconds: float) -> None:
        """The endpoint has asked to wait: tell everybody."""
        ...

    def held(self, endpoint: str) -> float:
        """For how many seconds nobody may ask."""
        ...
