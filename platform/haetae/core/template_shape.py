"""What a prompt's template may be made of: known at once, from its syntax tree, before anything is rendered."""

from __future__ import annotations

from jinja2 import TemplateSyntaxError, nodes

_MOST_LEVELS = 100
_MOST_LOOPS = 2
_STATEMENTS = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign)
_VALUES = (nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr)
_ACCESS = (nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Concat)
_OPERATORS = (nodes.BinExpr, nodes.UnaryExpr, nodes.Compare, nodes.Operand)
_ALLOWED = (*_STATEMENTS, *_VALUES, *_ACCESS, *_OPERATORS)
_CALLED: dict[type[nodes.Node], str] = {
    nodes.Macro: "a macro",
    nodes.CallBlock: "a call block",
    nodes.FilterBlock: "a filter block",
    nodes.AssignBlock: "a set block",
    nodes.With: "a with block",
    nodes.Include: "an include",
    nodes.Import: "an import",
    nodes.FromImport: "an import",
    nodes.Extends: "extends",
    nodes.Block: "a block",
}


def check_shape(template: nodes.Template) -> None:
    """Raises TemplateSyntaxError with its line for what no prompt needs and a short template could misuse.

    Loops are nested two deep at most; what is `set` is not made from what was `set` before: each step of a
    chain could double it.
    """
    waiting: list[tuple[nodes.Node, int, int]] = [(template, 0, 0)]
    assigned: set[str] = set()
    sources: list[nodes.Name] = []
    while waiting:
        node, level, loops = waiting.pop()
        if not isinstance(node, _ALLOWED):
            raise TemplateSyntaxError(f"{_CALLED.get(type(node), type(node).__name__)} is not available", node.lineno)
        if level > _MOST_LEVELS:
            raise TemplateSyntaxError(f"nested over {_MOST_LEVELS} levels", node.lineno)
        if isinstance(node, nodes.For):
            loops += 1
            if loops > _MOST_LOOPS:
                raise TemplateSyntaxError("loops are nested more than two deep", node.lineno)
            if node.recursive:
                raise TemplateSyntaxError("a recursive loop is not available", node.lineno)
        if isinstance(node, nodes.Assign):
            assigned |= {name.name for name in _names(node.target)}
            sources += _names(node.node)
        waiting += [(child, level + 1, loops) for child in node.iter_child_nodes()]
    for name in sources:
        if name.name in assigned:
            raise TemplateSyntaxError(f"{name.name!r} is set, and may not make another that is set", name.lineno)


def _names(node: nodes.Node) -> list[nodes.Name]:
    return [node] if isinstance(node, nodes.Name) else list(node.find_all(nodes.Name))
