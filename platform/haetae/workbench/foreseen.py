"""What a run would complain of at its end and a check can see before: trackers that are missing, answers too."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from haetae.catalog.explain import nearest
from haetae.catalog.recorded import open_outputs
from haetae.errors import MissingExtra
from haetae.workbench.assemble import Assembly

_EXAMPLES = 3
"""How many samples are named."""


def foreseen(assembly: Assembly) -> Iterator[str]:
    """A line for each tracker whose package is not installed, each key of `slices` that no sample has, and one for
    samples without a recorded output."""
    for tracker in assembly.suite.track:
        if find_spec(tracker) is None:
            yield f"track: {MissingExtra(tracker, tracker)}"
    yield from _unsliced(assembly)
    if assembly.suite.target.outputs is not None:
        yield from _unanswered(assembly, assembly.suite.target.outputs)


def _unsliced(assembly: Assembly) -> Iterator[str]:
    wanted = assembly.suite.slices
    there = {key for sample in assembly.dataset for key in sample.metadata} if wanted else set()
    for key in wanted:
        if key not in there:
            hint = nearest(key, there) or f"; there are {', '.join(sorted(there)) or 'none'}"
            yield f"slices: no sample has {key!r} in its metadata{hint}"


def _unanswered(assembly: Assembly, outputs: str) -> Iterator[str]:
    loaded = assembly.loaded
    file = loaded.locate("target.outputs", outputs)
    answered = {name for name, _ in open_outputs(file, root=loaded.root)}
    lacking = [sample.id for sample in assembly.dataset if sample.id not in answered]
    if lacking:
        first = ", ".join(lacking[:_EXAMPLES]) + (", …" if len(lacking) > _EXAMPLES else "")
        yield f"target.outputs: {outputs} has no output for {len(lacking)} of {assembly.dataset.count} samples: {first}"
