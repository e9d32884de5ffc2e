"""A metric's line in a suite file becomes a Metric: entry points make them, annotations say what of.

    chrf: chrf                                   → factory()
    faithful: ragas/faithfulness                 → factory("faithfulness") of the kind `ragas`
    rouge: { rouge: L, tokenizer: korean }       → factory("L", tokenizer="korean")
    polite: { judge: polite.md, model: judge@2 } → factory(Prompt, model=LanguageModel)
    kind: { function: checks:kind, words: [감사] } → the factory is a function of the project, decorated with @metric

A parameter annotated `LanguageModel`, `Prompt`, `Path` or `Outputs` is a reference in the file and resolved
here, one annotated `tuple[LanguageModel, ...]` a list of them; every other value is checked strictly against its
annotation. Only registered entry points are ever called, and functions decorated as metrics.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from haetae.catalog.explain import explain, found, nearest
from haetae.catalog.places import Places
from haetae.core.canonical import Json, dumps
from haetae.core.code_folder import CodeFolder
from haetae.core.metric import Metric
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt
from haetae.errors import ConfigError, MissingExtra, Problem

GROUP = "haetae.metrics"
FUNCTION = "function"
"""The kind whose value names a function of the project: `module:function`."""
_EXTRAS = {
    "ragas": "rag",
    "langchain_community": "rag",
    "evaluate": "evaluate",
    "torch": "hf",
    "transformers": "hf",
    "kiwipiepy": "korean",
    "ir_measures": "retrieval",
}
_DEFAULTS = {"model": "judge", "embeddings": "embeddings"}


class Resolver(Protocol):
    """What turns references into models and prompts."""

    def model(self, text: str) -> LanguageModel:
        """The model that a reference names. Raises ConfigError."""
        ...

    def prompt(self, text: str) -> Prompt:
        """The prompt in a file, or a registered one. Raises ConfigError."""
        ...

    def file(self, text: str) -> Path:
        """A file or folder of the project, named from the suite's folder. Raises ConfigError."""
        ...

    def outputs(self, text: str) -> Outputs:
        """What another system answered, from a file of recorded outputs. Raises ConfigError."""
        ...

    def code(self, text: str) -> CodeFolder:
        """A folder whose code may be run, named from the suite's folder. Raises ConfigError for any other."""
        ...

    def function(self, text: str) -> Callable[..., Metric]:
        """What `module:function` names: a function of the project, decorated as a metric. Raises ConfigError."""
        ...

    def default(self, role: str) -> str | None:
        """The suite's reference for `judge` or `embeddings`; None when it names none."""
        ...


@cache
def known_metrics() -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of every kind of metric, unloaded."""
    kinds: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        kinds.setdefault(point.name, {})[point.value] = point
    return {name: tuple(points.values()) for name, points in sorted(kinds.items())}


def build_metric(
    name: str, spec: str | Mapping[str, Json], resolve: Resolver, problem: Callable[[str, str], Problem]
) -> Metric:
    """The metric that a suite calls `name`; `problem` makes a Problem at a dotted field of its file.

    Raises ConfigError with every wrong parameter, MissingExtra for a library that is not installed.
    """
    return _Builder(f"metrics.{name}", resolve, problem).build(spec)


class _Builder:
    def __init__(self, field: str, resolve: Resolver, problem: Callable[[str, str], Problem]) -> None:
        self._field = field
        self._resolve = resolve
        self._problem = problem
        self._problems: list[Problem] = []
        self._references: tuple[tuple[type, str, Callable[[str], Any]], ...] = (
            (LanguageModel, "model", resolve.model),
            (Prompt, "prompt", resolve.prompt),
            (Path, "file", resolve.file),
            (CodeFolder, "folder", resolve.code),
            (Outputs, "recorded output file", resolve.outputs),
        )

    def build(self, spec: str | Mapping[str, Json]) -> Metric:
        kind, first, first_field, others = self._read(spec)
        if kind == FUNCTION:
            factory = self._function(first, first_field)
            kind, first = str(first), None
        else:
            factory = self._factory(kind)
        parameters = self._parameters(factory, kind)
        given: dict[str, tuple[str, Json]] = {}
        positional = next((p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY), None)
        if first is not None:
            if positional is None:
                self._problems.append(self._problem(first_field, f"{kind} takes no value of its own"))
            else:
                given[positional] = (first_field, first)
        for key, value in others.items():
            where = f"{self._field}.{key}"
            if key not in parameters:
                known = ", ".join(parameters) or "none"
                hint = nearest(key, parameters) or f"; there are {known}"
                self._problems.append(self._problem(where, f"unknown parameter of {kind}{hint}"))
            elif key in given:
                self._problems.append(self._problem(where, f"{key} is given twice: also as the value of {kind}"))
            else:
                given[key] = (where, value)
        arguments = {p.name: self._argument(p, kind, given.get(p.name)) for p in parameters.values()}
        if self._problems:
            raise ConfigError(self._problems)
        return self._call(factory, kind, {k: v for k, v in arguments.items() if v is not _OMIT})

    def _read(self, spec: str | Mapping[str, Json]) -> tuple[str, Json, str, Mapping[str, Json]]:
        """Kind, its own value, the field of that value, and the other parameters."""
        if isinstance(spec, str):
            kind, slash, first = spec.partition("/")
            return kind, first if slash else None, self._field, {}
        if not spec:
            raise ConfigError(self._problem(self._field, "expected a kind of metric, got an empty mapping"))
        kind, *keys = spec
        return kind, spec[kind], f"{self._field}.{kind}", {key: spec[key] for key in keys}

    def _function(self, first: Json, field: str) -> Callable[..., Any]:
        if not isinstance(first, str):
            raise ConfigError(self._problem(field, f"expected module:function, got {found(first)}"))
        factory = self._referred(field, self._resolve.function, first)
        if factory is _OMIT:
            raise ConfigError(self._problems)
        return factory  # type: ignore[no-any-return]  # what the resolver gave

    def _factory(self, kind: str) -> Callable[..., Any]:
        known = known_metrics()
        if kind not in known:
            shown, kinds = kind if len(kind) <= 60 else kind[:60] + "…", [*known, FUNCTION]
            said = f"unknown metric {shown!r}{nearest(kind, kinds)}; there are {', '.join(kinds)}"
            raise ConfigError(self._problem(self._field, said))
        if len(known[kind]) > 1:
            offers = " and ".join(point.value for point in known[kind])
            raise ConfigError(self._problem(self._field, f"metric {kind!r} is offered twice: {offers}"))
        try:
            factory: Callable[..., Any] = known[kind][0].load()
        except ImportError as exc:
            raise self._missing(kind, exc) from exc
        except AttributeError as exc:
            raise ConfigError(self._problem(self._field, f"metric {kind!r} cannot be loaded: {exc}")) from exc
        return factory

    def _missing(self, kind: str, exc: ImportError) -> ConfigError:
        package = (exc.name or "").partition(".")[0]
        if package in _EXTRAS:
            return MissingExtra(package, _EXTRAS[package])
        return ConfigError(self._problem(self._field, f"metric {kind!r} cannot be loaded: {exc}"))

    def _parameters(self, factory: Callable[..., Any], kind: str) -> dict[str, inspect.Parameter]:
        words = {
            "LanguageModel": LanguageModel,
            "Prompt": Prompt,
            "Path": Path,
            "CodeFolder": CodeFolder,
            "Outputs": Outputs,
        }  # often imported for type checkers only
        try:
            signature = inspect.signature(factory, eval_str=True, locals=words)
        except (NameError, TypeError, ValueError) as exc:
            raise ConfigError(self._problem(self._field, f"metric {kind!r} has no readable signature: {exc}")) from exc
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: p for name, p in signature.parameters.items() if p.kind not in variadic}

    def _argument(self, parameter: inspect.Parameter, kind: str, given: tuple[str, Json] | None) -> Any:
        """The value of a parameter, `_OMIT` for its own default; problems are collected."""
        required = parameter.default is parameter.empty
        asks_model = _mentions(parameter.annotation, LanguageModel)
        if given is None and asks_model and parameter.name in _DEFAULTS:
            role = _DEFAULTS[parameter.name]
            reference = self._resolve.default(role)
            if reference is not None:
                return self._referred(self._field, self._resolve.model, reference)
            if required:
                wish = f"{kind} asks a model: name one with {parameter.name}:, or {role}: for the whole suite"
                self._problems.append(self._problem(self._field, wish))
            return _OMIT
        if given is None:
            if required:
                self._problems.append(self._problem(self._field, f"{kind} needs {parameter.name}"))
            return _OMIT
        field, value = given
        if value is None and not required:
            return _OMIT
        inline = isinstance(value, dict) and _takes_mapping(parameter.annotation)
        for word, what, resolve in self._references:
            if _mentions(parameter.annotation, word) and not inline:
                return self._named(field, value, what, resolve, several=_is_several(parameter.annotation))
        return self._checked(field, parameter, value)

    def _named(self, field: str, value: Json, what: str, resolve: Callable[[str], Any], *, several: bool) -> Any:
        """What the text names, or a tuple of what the list of texts names."""
        if several and isinstance(value, list) and value:
            named = [
                self._named(f"{field}.{place}", one, what, resolve, several=False) for place, one in enumerate(value)
            ]
            return _OMIT if any(one is _OMIT for one in named) else tuple(named)
        if several or not isinstance(value, str):
            wish = f"a list of names of {what}s" if several else f"the name of a {what}"
            self._problems.append(self._problem(field, f"expected {wish}, got {found(value)}"))
            return _OMIT
        return self._referred(field, resolve, value)

    def _referred(self, field: str, resolve: Callable[[str], Any], reference: str) -> Any:
        try:
            return resolve(reference)
        except ConfigError as exc:
            self._problems += [
                p if p.file else replace(self._problem(field, p.message), variable=p.variable) for p in exc.problems
            ]
            return _OMIT

    def _checked(self, field: str, parameter: inspect.Parameter, value: Json) -> Any:
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except (PydanticSchemaGenerationError, PydanticUserError):
            self._problems.append(self._problem(field, f"{parameter.name} cannot be set in a suite file"))
            return _OMIT
        fault = _not_finite(value)
        if fault is not None:
            self._problems.append(self._problem(field, f"expected a finite number, got {fault}"))
            return _OMIT
        try:
            # As JSON, so that a list fits a tuple and a text an enumeration, and nothing else is coerced.
            return adapter.validate_json(dumps(value), strict=True)
        except ValidationError as exc:
            for one in explain(exc, value, adapter.json_schema(), Places("")):
                inner = f"{field}.{one.field}" if one.field else field
                self._problems.append(self._problem(inner, one.message))
            return _OMIT

    def _call(self, factory: Callable[..., Any], kind: str, arguments: dict[str, Any]) -> Metric:
        try:
            metric = factory(**arguments)
        except ImportError as exc:
            raise self._missing(kind, exc) from exc
        except ConfigError as exc:
            if isinstance(exc, MissingExtra):
                raise
            raise ConfigError(
                [p if p.file else self._problem(_join(self._field, p.field), p.message) for p in exc.problems]
            ) from exc
        except (TypeError, ValueError) as exc:
            raise ConfigError(self._problem(self._field, f"{kind}: {exc}")) from exc
        if not isinstance(metric, Metric):
            raise ConfigError(self._problem(self._field, f"{kind} made {type(metric).__name__}, which is no metric"))
        return metric


_OMIT = object()


def _join(field: str, inner: str | None) -> str:
    return f"{field}.{inner}" if inner else field


def _mentions(annotation: Any, word: type) -> bool:
    """Whether an annotation is the word, or a union that has it (`LanguageModel | None`)."""
    return annotation is word or any(_mentions(inner, word) for inner in typing.get_args(annotation))


def _is_several(annotation: Any) -> bool:
    """Whether an annotation is a tuple of any length, or a union that has one."""
    return typing.get_origin(annotation) is tuple or any(map(_is_several, typing.get_args(annotation)))


def _takes_mapping(annotation: Any) -> bool:
    """Whether an annotation is a mapping, or a union that has one (`Path | dict[str, Any]`): it may stand inline."""
    return typing.get_origin(annotation) is dict or any(map(_takes_mapping, typing.get_args(annotation)))


def _not_finite(value: Json) -> float | None:
    if isinstance(value, float) and not abs(value) < float("inf"):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((fault for fault in map(_not_finite, inner) if fault is not None), None)
