"""Stand-ins for all that a metric's line may name, for those who look at metrics without a suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from haetae.core.canonical import Json
from haetae.core.code_folder import CodeFolder
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt
from haetae.errors import ConfigError


class _Nobody:
    """A model that is never asked. Each name is another model."""

    def __init__(self, name: str) -> None:
        self.fingerprint: Mapping[str, Json] = {"model": name}
        self.deterministic = False


class StandIns:
    """Gives every reference something of its kind, so that a metric can be made and its facts read.

    What has to be there in earnest, a file or code, is refused. `prompt` is the text of every prompt.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt

    def model(self, text: str) -> LanguageModel:
        return _Nobody(text)  # type: ignore[return-value]  # nothing is asked

    def prompt(self, text: str) -> Prompt:
        return Prompt.of(text, self._prompt)

    def file(self, text: str) -> Path:
        raise ConfigError(f"{text} is not here")

    def outputs(self, text: str) -> Outputs:
        return Outputs(text, {})

    def code(self, text: str) -> CodeFolder:
        raise ConfigError(f"{text} is not here")

    def function(self, text: str) -> Callable[..., Any]:
        raise ConfigError(f"{text} is not here")

    def default(self, role: str) -> str | None:
        return role
