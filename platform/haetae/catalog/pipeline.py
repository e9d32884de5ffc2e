"""What an application did on the way to its recorded answer: the stages of its pipeline, and its dialogue."""

from __future__ import annotations

from collections import Counter

from haetae.catalog.explain import found, nearest
from haetae.catalog.rows import Fault, turn_json
from haetae.core.amounts import MOST, is_amount
from haetae.core.canonical import Json
from haetae.core.generation import Stage, stage_from_json
from haetae.core.sample import Message, message_from_json

_MEASURES = ("latency_s", "cost_usd")
_FIELDS = frozenset({"name", "retrieved", "flagged", "score", *_MEASURES})


def stages_of(value: Json, faults: list[Fault]) -> tuple[Stage, ...]:
    """A list of {name} with `retrieved` (ids, best first), `flagged`, `score`, `latency_s` and `cost_usd`."""
    if not isinstance(value, list):
        faults.append(("stages", f"expected a list of stages, got {found(value)}"))
        return ()
    before = len(faults)
    for index, stage in enumerate(value):
        _check_stage(f"stages.{index}", stage, faults)
    if len(faults) > before:
        return ()
    named = Counter(stage["name"] for stage in value)
    faults += [("stages", f"two stages are named {name!r}") for name, times in named.items() if times > 1]
    return tuple(map(stage_from_json, value))


def transcript_of(value: Json, faults: list[Fault]) -> tuple[Message, ...]:
    """A list of turns: {role, content} and perhaps tool_calls."""
    if not isinstance(value, list):
        faults.append(("transcript", f"expected a list of messages, got {found(value)}"))
        return ()
    before = len(faults)
    turns = [turn_json(f"transcript.{index}", turn, faults) for index, turn in enumerate(value)]
    if len(faults) == before and any("images" in turn for turn in turns):
        faults.append(("transcript", "pictures are those of the dataset's input; a transcript is text: leave them out"))
    return () if len(faults) > before else tuple(map(message_from_json, turns))


def _check_stage(where: str, stage: Json, faults: list[Fault]) -> None:
    if not isinstance(stage, dict) or not isinstance(stage.get("name"), str) or not stage["name"]:
        faults.append((where, f"expected a mapping with a name, got {found(stage)}"))
        return
    for name, value in stage.items():
        if name not in _FIELDS:
            faults.append((f"{where}.{name}", f"unknown field{nearest(str(name), _FIELDS)}"))
        elif name == "retrieved" and not _are_texts(value):
            faults.append((f"{where}.{name}", f"expected a list of ids, got {found(value)}"))
        elif name == "flagged" and not isinstance(value, bool | None):
            faults.append((f"{where}.{name}", f"expected true or false, got {found(value)}"))
        elif name == "score" and not _is_score(value):
            faults.append((f"{where}.{name}", f"expected a finite number, got {found(value)}"))
        elif name in _MEASURES and value is not None and not is_amount(value):
            faults.append((f"{where}.{name}", f"expected a number from 0 to {MOST:,}, got {found(value)}"))


def _are_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_score(value: Json) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < float("inf")
