"""What a metric's line may refer to: models, prompts, files, code, and how its annotations ask for them."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from haetae.core.code_folder import CodeFolder
from haetae.core.metric import Metric
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt


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


WORDS: Mapping[str, type] = {word.__name__: word for word in (LanguageModel, Prompt, Path, CodeFolder, Outputs)}
"""The annotations that are references, by their names: they are often imported for type checkers only."""


def reference_kinds(resolve: Resolver) -> tuple[tuple[type, str, Callable[[str], Any]], ...]:
    """Each annotation that is a reference, how people call what it names, and what resolves it."""
    return (
        (LanguageModel, "model", resolve.model),
        (Prompt, "prompt", resolve.prompt),
        (Path, "file", resolve.file),
        (CodeFolder, "folder", resolve.code),
        (Outputs, "recorded output file", resolve.outputs),
    )


def mentions(annotation: Any, word: type) -> bool:
    """Whether an annotation is the word, or a union that has it (`LanguageModel | None`)."""
    return annotation is word or any(mentions(inner, word) for inner in typing.get_args(annotation))


def is_several(annotation: Any) -> bool:
    """Whether an annotation is a tuple of any length, or a union that has one."""
    return typing.get_origin(annotation) is tuple or any(map(is_several, typing.get_args(annotation)))


def takes_mapping(annotation: Any) -> bool:
    """Whether an annotation is a mapping, or a union that has one (`Path | dict[str, Any]`): it may stand inline."""
    return typing.get_origin(annotation) is dict or any(map(takes_mapping, typing.get_args(annotation)))
