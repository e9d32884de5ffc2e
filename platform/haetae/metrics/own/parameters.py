"""What a metric's function asks for: parts of the sample and its answer by name, and parameters of its own."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from haetae.core.generation import Generation
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.text import contexts, nfc, references

_LISTS = (list, Sequence, Collection, Iterable)
_OFFERED: Mapping[str, tuple[Any, ...]] = {
    "output": (str,),
    "input": (str,),
    "reference": (str,),
    "references": _LISTS,
    "contexts": _LISTS,
    "metadata": (dict, Mapping),
    "sample": (Sample,),
    "generation": (Generation,),
}
"""What there is to ask for by name, and what each may be hinted as."""
_WORDS = {"Sample": Sample, "Generation": Generation, "Score": Score}  # often imported for type checkers only
_NEEDS = {"reference": "reference", "references": "reference", "contexts": "contexts"}


@dataclass(frozen=True)
class Parameters:
    """What a function takes. `asked` gives for each parameter that the sample fills what it is; `own` are the others.

    `optional` are those of `asked` that have a default: where the sample lacks them they are left out.
    """

    asked: Mapping[str, str]
    optional: frozenset[str]
    own: Mapping[str, inspect.Parameter]

    @property
    def needs(self) -> frozenset[str]:
        """What a sample must have for the function to be called."""
        required = {what for name, what in self.asked.items() if name not in self.optional}
        return frozenset(_NEEDS[what] for what in required & _NEEDS.keys())

    def fill(self, sample: Sample, generation: Generation) -> dict[str, Any]:
        """The arguments that come from the sample and its answer; texts in NFC."""
        there = {name: _part(what, sample, generation) for name, what in self.asked.items()}
        return {name: value for name, value in there.items() if name not in self.optional or value not in (None, [])}


def read_parameters(function: Callable[..., Any], name: str) -> Parameters:
    """Read a function's signature. Raises ConfigError for one that no sample and no suite file could fill."""
    try:
        hints = typing.get_type_hints(function, localns=_WORDS, include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as exc:
        raise ConfigError(f"{name} has no readable signature: {exc}") from exc
    _check_returned(name, hints.get("return", float))
    asked, optional, own = {}, set(), {}
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigError(f"{name}: {parameter} cannot be given by name; write each parameter out")
        hint = hints.get(parameter.name)
        if (what := _offered(name, parameter.name, hint)) is not None:
            asked[parameter.name] = what
            optional |= {parameter.name} if parameter.default is not parameter.empty else set()
        elif hint is None:
            wish = f"offered are {', '.join(_OFFERED)}; a parameter of a suite file has a type hint"
            raise ConfigError(f"{name}: {parameter.name} is nothing that a sample has; {wish}")
        else:
            _check_file(name, parameter.name, hint)
            own[parameter.name] = parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hint)
    if not set(asked.values()) & {"output", "generation"}:
        raise ConfigError(f"{name} takes neither output nor generation: it would score every answer the same")
    return Parameters(asked, frozenset(optional), own)


def _offered(name: str, parameter: str, hint: Any) -> str | None:
    """What a parameter asks for; None for one of the function's own."""
    kinds = {typing.get_origin(kind) or kind for kind in _members(hint)} - {types.NoneType}
    if kinds == {Sample} or kinds == {Generation}:
        return "sample" if kinds == {Sample} else "generation"
    if parameter not in _OFFERED:
        return None
    wanted = _OFFERED[parameter]
    if hint is not None and not kinds <= set(wanted):
        shown = "list[str]" if wanted is _LISTS else wanted[0].__name__
        raise ConfigError(f"{name}: {parameter} is hinted {inspect.formatannotation(hint)}, and is a {shown}")
    return parameter


def _check_file(name: str, parameter: str, hint: Any) -> None:
    """A suite file names one file at a parameter: `Path`, or a union with it (`Path | None`)."""
    plain = [typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind for kind in _members(hint)]
    if any(kind is not Path and _mentions(kind, Path) for kind in plain):
        shown = inspect.formatannotation(hint)
        wish = "a file of the project is hinted Path, and each has a parameter of its own"
        raise ConfigError(f"{name}: {parameter} is hinted {shown}; {wish}")


def _mentions(hint: Any, word: type) -> bool:
    return hint is word or any(_mentions(inner, word) for inner in typing.get_args(hint))


def _check_returned(name: str, hint: Any) -> None:
    kinds = [Score if kind is types.NoneType else kind for kind in _members(hint)]
    if not all(isinstance(kind, type) and issubclass(kind, int | float | Score) for kind in kinds):
        shown = inspect.formatannotation(hint)
        raise ConfigError(f"{name} returns {shown}; a metric returns float, bool, Score or None")


def _members(hint: Any) -> tuple[Any, ...]:
    """The members of a union, else the hint alone."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _part(what: str, sample: Sample, generation: Generation) -> Any:
    match what:
        case "output":
            return nfc(generation.output)
        case "input":
            return nfc(sample.text)
        case "reference":
            return next(iter(references(sample)), None)
        case "references":
            return list(references(sample))
        case "contexts":
            return list(contexts(sample, generation))
        case "metadata":
            return dict(sample.metadata)
        case "sample":
            return sample
        case _:
            return generation
