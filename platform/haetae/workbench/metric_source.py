"""A metric's source, read without importing it: its docstring, and the parameters that it is made with."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

Source = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def source_of(point: EntryPoint) -> Source | None:
    """The class or function that an entry point names; None where it is not written at the top of its module."""
    file = _file_of(point.module)
    if file is None:
        return None
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, Source) and node.name == point.attr:
            return node
    return None


def docstring(node: Source | None) -> str:
    """Its docstring, or nothing."""
    return "" if node is None else ast.get_docstring(node) or ""


def written_parameters(node: Source | None) -> Iterator[inspect.Parameter]:
    """What a class is made with, as it is written: annotations are text, a default that is no literal is text too."""
    made = [inner for inner in getattr(node, "body", ()) if isinstance(inner, ast.FunctionDef)]
    for arguments in [inner.args for inner in made if inner.name == "__init__"]:
        defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + arguments.defaults
        for argument, default in [*zip(arguments.args, defaults, strict=True)][1:]:
            yield _parameter(argument, default, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            yield _parameter(argument, default, inspect.Parameter.KEYWORD_ONLY)


def _parameter(argument: ast.arg, default: ast.expr | None, kind: Any) -> inspect.Parameter:
    annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
    value = inspect.Parameter.empty if default is None else _literal(default)
    return inspect.Parameter(argument.arg, kind, annotation=annotation, default=value)


def _literal(default: ast.expr) -> Any:
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)


def _file_of(module: str) -> Path | None:
    """The file of a module. Only its outermost package is looked up, so that nothing is imported."""
    package, *inner = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    if not inner:
        return Path(spec.origin) if spec.origin else None
    for place in spec.submodule_search_locations or ():
        stem = Path(place, *inner)
        for file in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if file.is_file():
                return file
    return None
