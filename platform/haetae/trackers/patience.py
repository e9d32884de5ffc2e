"""How long a tracking server is waited for: little while a run's end waits, more where nothing else does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take to say that it is there, and for each answer; and how often it is asked again."""

    there_s: float
    answer_s: float
    retries: int


HURRIED = Patience(there_s=3.0, answer_s=4.0, retries=0)
"""Of a run: a server that falls silent, at its beginning or in the middle, adds no more than this to it."""
USUAL = Patience(there_s=3.0, answer_s=15.0, retries=2)
"""Of a person who waits for an answer."""
PATIENT = Patience(there_s=30.0, answer_s=60.0, retries=2)
"""Of `haetae sync`: what takes its time is told all the same."""
