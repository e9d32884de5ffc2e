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

_NOTE = 60
"""Characters that are kept for the note on what is left out."""


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

    The first `before` turns are marked as given. Turns of over `most` characters together are cut: a turn over a
    quarter of that is shown without its middle, and of turns that are still too many the first stay, up to a
    quarter, and the last; a note says what is left out.
    """
    texts = [_text(turn) for turn in turns]
    if sum(map(len, texts)) > most:
        texts = [_shortened(text, most // 4) for text in texts]
    head, tail = _kept([len(text) for text in texts], most)
    shown = []
    for place, (turn, text) in enumerate(zip(turns, texts, strict=True)):
        label = f"turn-{first + place}-{turn.role}"
        shown.append(fence(f"{label}-given" if place < before and turn.role == "assistant" else label, text))
    if head < tail:
        note = f"[turns {first + head} to {first + tail - 1} are left out here]"
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
    half = (most - _NOTE) // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out here]\n{text[-half:]}"


def _text(turn: Message) -> str:
    """What a turn says, the pictures it shows and the calls it makes."""
    pictures = [f"[picture {image.path}]" for image in turn.images]
    calls = [f"[calls {call.name} {dumps(dict(call.arguments))}]" for call in turn.tool_calls]
    return nfc("\n".join([*([turn.content] if turn.content else []), *pictures, *calls]))


def _said(turn: Message) -> tuple[object, ...]:
    return turn.role, turn.content, [call.as_json() for call in turn.tool_calls]
