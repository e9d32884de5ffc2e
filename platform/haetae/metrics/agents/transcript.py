"""The dialogue behind an answer: which turns an agent was given and which it wrote, and how a judge is shown them."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.canonical import dumps
from haetae.core.generation import Generation
from haetae.core.sample import Message, Sample
from haetae.metrics.choices import whole
from haetae.metrics.judges.asking import Fence
from haetae.metrics.text import nfc

MAX_SHOWN = 40_000
"""Characters of a dialogue that a judge is shown, unless a metric says otherwise."""

_Parts = list[tuple[str, str]]
"""What a turn holds: the ending of the tag of each part, and its text."""


def dialogue(sample: Sample, generation: Generation) -> tuple[Message, ...]:
    """All turns: the transcript, else the input and the answer."""
    return generation.transcript or (*sample.messages, Message("assistant", generation.output))


def given(sample: Sample, turns: Sequence[Message]) -> int:
    """How many of a dialogue's first turns are the sample's input. Instructions may stand among them."""
    asked = [_said(turn) for turn in sample.messages if turn.role != "system"]
    met = 0
    for place, turn in enumerate(turns):
        if met == len(asked):
            return place
        if turn.role == "system":
            continue
        if _said(turn) != asked[met]:
            return 0
        met += 1
    return len(turns) if met == len(asked) else 0


def written(sample: Sample, generation: Generation) -> tuple[Message, ...]:
    """The assistant's turns that were not given with the input."""
    turns = dialogue(sample, generation)
    return tuple(turn for turn in turns[given(sample, turns) :] if turn.role == "assistant")


def shown_most(metric: str, most: object) -> int:
    """How many characters of a dialogue a metric shows. Raises ConfigError."""
    return whole(metric, "max_chars", most, 1_000, 1_000_000)


def fence_of(sample: Sample, turns: Sequence[Message]) -> Fence:
    """A fence whose mark no turn can hold: it is a hash of all of them."""
    return Fence.of(sample, dumps([turn.as_json() for turn in turns]))


def fenced(turns: Sequence[Message], fence: Fence, most: int, before: int, *, first: int = 1) -> str:
    """The turns for a judge, each between fences of its own with its number and role, counted up from `first`.

    Pictures and calls stand between fences of their own, since a turn's text can look like any of them, and so do
    notes on what is left out. The first `before` turns are marked as given. Turns of over `most` characters together
    are cut: a text over a quarter of that is shown without its middle, and of turns that are still too many the
    first stay, up to a quarter, and the last.
    """
    parts = [_parts(turn) for turn in turns]
    limit = most if sum(len(text) for each in parts for _, text in each) <= most else most // 4
    head, tail = _kept([sum(min(len(text), limit) for _, text in each) for each in parts], most)
    shown = []
    for place, (turn, each) in enumerate(zip(turns, parts, strict=True)):
        origin = "-given" if place < before and turn.role == "assistant" else ""
        label = f"turn-{first + place}-{turn.role}"
        shown += ["\n".join(_fenced(f"{label}{kind}{origin}", text, limit, fence) for kind, text in each)]
    if head < tail:
        note = fence("left-out", f"turns {first + head} to {first + tail - 1}")
        shown = [*shown[:head], note, *shown[tail:]]
    return "\n".join(shown)


def _kept(sizes: Sequence[int], most: int) -> tuple[int, int]:
    """(h, t): the turns before h and from t on are shown. They are equal where all are."""
    if sum(sizes) <= most:
        return len(sizes), len(sizes)
    head, used = 0, 0
    while used + sizes[head] <= most // 4:
        used += sizes[head]
        head += 1
    tail = len(sizes)
    while tail > head and used + sizes[tail - 1] <= most:
        tail -= 1
        used += sizes[tail]
    return head, tail


def _fenced(label: str, text: str, most: int, fence: Fence) -> str:
    if len(text) <= most:
        return fence(label, text)
    half = most // 2
    note = fence(f"{label}-left-out", f"{len(text) - 2 * half} characters")
    return "\n".join([fence(label, text[:half]), note, fence(label, text[-half:])])


def _parts(turn: Message) -> _Parts:
    """What a turn says, the pictures it shows and the calls it makes: each call a line, also where its name has two."""
    pictures = "\n".join(image.path for image in turn.images)
    calls = "\n".join(dumps(call.as_json()) for call in turn.tool_calls)
    parts = [("", turn.content), ("-pictures", pictures), ("-calls", calls)]
    return [(kind, nfc(text)) for kind, text in parts if text] or [("", "")]


def _said(turn: Message) -> tuple[object, ...]:
    """What makes two turns one: applications trim what they are given, and bring it to one form of Unicode."""
    return turn.role, nfc(turn.content).strip(), [call.as_json() for call in turn.tool_calls]
