"""The dialogue behind an answer: which turns an agent was given and which it wrote, and how a judge is shown them."""

from __future__ import annotations

from collections.abc import Sequence

from haetae.core.canonical import dumps
from haetae.core.generation import Generation
from haetae.core.sample import Message, Sample
from haetae.metrics.asking import Fence
from haetae.metrics.text import nfc

MAX_SHOWN = 24_000
"""Characters of a dialogue that a judge is shown, unless a metric says otherwise."""


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


def fenced(turns: Sequence[Message], fence: Fence, most: int = MAX_SHOWN) -> str:
    """The turns for a judge, each between fences of its own with its number and role.

    At most about `most` characters: a turn over a quarter of that is shown without its middle, and of turns
    that are still too many the first stay, up to a quarter, and the last; a note says what is left out.
    """
    texts = [_shortened(_text(turn), most // 4) for turn in turns]
    head, tail = _kept([len(text) for text in texts], most)
    shown = [fence(f"turn-{place + 1}-{turn.role}", texts[place]) for place, turn in enumerate(turns)]
    if head < tail:
        note = f"[turns {head + 1} to {tail} of {len(turns)} are left out here]"
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


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out here]\n{text[-half:]}"


def _text(turn: Message) -> str:
    """What a turn says, the pictures it shows and the calls it makes."""
    pictures = [f"[picture {image.path}]" for image in turn.images]
    calls = [f"[calls {call.name} {dumps(dict(call.arguments))}]" for call in turn.tool_calls]
    return nfc("\n".join([*([turn.content] if turn.content else []), *pictures, *calls]))


def _said(turn: Message) -> tuple[object, ...]:
    return turn.role, turn.content, [call.as_json() for call in turn.tool_calls]
