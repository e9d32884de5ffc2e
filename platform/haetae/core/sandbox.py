"""The sandbox in which prompts are rendered: Jinja's, with what can run long or grow large taken out or bounded.

A template reads plain values. It has loops, conditions, a few filters and the methods of texts and mappings that
only look; it has no macros, includes or recursion. No text in it grows over the cap of a prompt, not even one that
is never written out, and all its loops together take a bounded number of steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from haetae.core.canonical import dumps

MAX_RENDERED = 2_000_000
"""Longest rendered message, in characters."""
MAX_STEPS = 200_000
"""Most steps of all loops of one template together."""
STEPS = "(steps)"
"""The value, a list of one number, in which a rendering counts its steps: no template can name it."""
_MAX_RANGE = 10_000
_MAX_BITS = 4096
# fmt: off
_FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "int", "items",
    "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select",
    "selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper", "wordcount",
})
_METHODS = frozenset({
    "capitalize", "changed", "count", "cycle", "endswith", "find", "get", "index", "items", "keys", "lower",
    "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "splitlines", "startswith", "strip", "title",
    "upper", "values",
})
# fmt: on


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all prompts. Whatever it refuses is a SecurityError."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False, finalize=_bounded)
        self.globals = {"range": _range}
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {"join": _join, "replace": _replace, "tojson": _to_json, _COUNTED: _counted}

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:
        return super()._generate(_Bounding().visit(source), *arguments, **options)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """One operation, unless its result could be large."""
        if operator == "+" and not (_is_number(left) and _is_number(right)):
            _check(_size(left) + _size(right))
        if operator == "%" and isinstance(left, str):
            raise SecurityError("text formatting is not available in templates")
        if operator in ("*", "**") and not (_is_number(left) and _is_number(right)):
            raise SecurityError("only numbers can be multiplied in templates")
        if operator == "**" and (abs(left) > 1_000_000 or abs(right) > 64):
            raise SecurityError("that power is too large for a template")
        if operator == "*" and _bits(left) + _bits(right) > _MAX_BITS:
            raise SecurityError("that product is too large for a template")
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only methods that look at a value, and `range`; calling what is undefined says so itself."""
        return obj is _range or isinstance(obj, Undefined) or getattr(obj, "__name__", "") in _METHODS


class _Bounding(NodeTransformer):
    """Sends `a ~ b` through the bounded join, and what a loop runs over through the counter."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # the library's name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # the library's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node


_COUNTED = "(counted)"


@pass_context
def _counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    steps = context[STEPS]
    for value in values:
        steps[0] += 1
        if steps[0] > MAX_STEPS:
            raise SecurityError(f"the loops of the template take over {MAX_STEPS:,} steps")
        yield value


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise SecurityError(f"a loop over {len(numbers)} numbers is too long for a template")
    return numbers


def _join(values: Iterable[Any], between: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise SecurityError("join takes no attribute; use map(attribute=…) before it")
    parts, size = [], 0
    for value in values:
        parts.append(str(_bounded(value)))
        size += len(parts[-1]) + len(between)
        _check(size)
    return between.join(parts)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    text = str(_bounded(text))
    found = text.count(old) if count < 0 else min(count, text.count(old))
    _check(len(text) + found * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _to_json(value: Any) -> str:
    return dumps(_bounded(value))


def _bounded(value: Any) -> Any:
    """The value, where writing it out would fit the cap."""
    _check(_size(value))
    return value


def _size(value: Any) -> int:
    """About how many characters a value has when it is written out; looked at no further than the cap.

    Raises UndefinedError for what is undefined anywhere in it, which a list would write out as `Undefined`.
    """
    size, waiting = 0, [value]
    while waiting and size <= MAX_RENDERED:
        node = waiting.pop()
        if isinstance(node, str):
            size += len(node)
            continue
        size += 1 if not isinstance(node, Undefined) else len(str(node))
        if isinstance(node, dict):
            waiting += [*node.keys(), *node.values()]
        elif isinstance(node, list | tuple):
            waiting += node
    return size


def _check(size: int) -> None:
    if size > MAX_RENDERED:
        raise SecurityError(f"a text of the template is over {MAX_RENDERED:,} characters")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _bits(value: float) -> int:
    return value.bit_length() if isinstance(value, int) else 0
