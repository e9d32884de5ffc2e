"""How long a rendered prompt can become, known from its template alone where nothing in it can fail.

Most templates write out the question and loop over the passages. For these no sample has to be rendered to know
that every sample can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import nodes

_GROWTH = 4
"""Most characters of a value that is written out, for each byte of its JSON (`\\x7f` for one byte)."""
_FRAME = 64
"""Most characters around a text that is written out as a list of messages."""
_DIGITS = 20
_STEP = 10
"""Characters that a step of a loop counts for, so that what fits also takes few enough steps."""
_OFFERED = frozenset({"input", "contexts", "messages", "metadata"})
_OF_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


def longest(template: nodes.Template, size: int) -> int | None:
    """The most characters that a sample of `size` bytes of JSON can make of a template.

    None for a template that does more than to write out `input`, `contexts`, `messages` and `metadata`, whole or
    passage by passage: whether it can be rendered then depends on the sample.
    """
    whole = _GROWTH * size + _FRAME
    return _sum(template.body, size, dict.fromkeys(_OFFERED, whole))


def _sum(body: Sequence[nodes.Node], size: int, names: Mapping[str, int]) -> int | None:
    """Of nodes that follow one another. `names` are the values that can be written out, with their lengths."""
    total = 0
    for node in body:
        length = _length(node, size, names)
        if length is None:
            return None
        total += length
    return total


def _length(node: nodes.Node, size: int, names: Mapping[str, int]) -> int | None:
    match node:
        case nodes.TemplateData():
            return len(node.data)
        case nodes.Name():
            return names.get(node.name)
        case nodes.Output():
            return _sum(node.nodes, size, names)
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=attribute) if "loop" in names and attribute in _OF_LOOP:
            return _DIGITS
        case nodes.Filter(
            node=nodes.Name(name="contexts"),
            name="join",
            args=[nodes.Const(value=str() as between)],
            kwargs=[],
            dyn_args=None,
            dyn_kwargs=None,
        ):
            return (_GROWTH + len(between)) * size
        case nodes.Not():
            return _length(node.node, size, names)
        case nodes.If():
            return _sum([node.test, *node.body, *node.elif_, *node.else_], size, names)
        case nodes.For(target=nodes.Name(name=passage), iter=nodes.Name(name="contexts")) if "loop" not in names:
            return _loop(node, passage, size, names)
        case _:
            return None


def _loop(node: nodes.For, passage: str, size: int, names: Mapping[str, int]) -> int | None:
    """Over passages: of `size` bytes there are at most `size` passages, and together they are no longer than one."""
    if node.test is not None or node.recursive or node.else_:
        return None
    around = _sum(node.body, size, {**names, "loop": _DIGITS, passage: 0})
    uses = sum(name.name == passage for name in node.find_all(nodes.Name))
    return None if around is None else (around + _STEP) * size + uses * _GROWTH * size
