"""Another model or prompt in the place of those that a suite names: the same suite, asked of another target."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haetae.core.run import Run
from haetae.errors import ConfigError

if TYPE_CHECKING:
    from haetae.catalog.suite_file import LoadedSuite

_TAGS = {"model": "target_model", "prompt": "target_prompt"}
"""The tags in which a run remembers what its target was given instead."""


@dataclass(frozen=True, slots=True)
class Instead:
    """References as a suite's `target` would have them; None leaves what the suite says."""

    model: str | None = None
    prompt: str | None = None

    @classmethod
    def of_run(cls, run: Run) -> Instead:
        """What a run was started with."""
        return cls(**{field: run.tags.get(tag) for field, tag in _TAGS.items()})

    @property
    def given(self) -> Mapping[str, str]:
        """What is given, by its field of `target`."""
        said = {"model": self.model, "prompt": self.prompt}
        return {field: unicodedata.normalize("NFC", text) for field, text in said.items() if text is not None}

    @property
    def tags(self) -> Mapping[str, str]:
        """What a run remembers of it."""
        return {_TAGS[field]: text for field, text in self.given.items()}

    def __bool__(self) -> bool:
        return bool(self.given)

    def within(self, loaded: LoadedSuite) -> LoadedSuite:
        """The suite with these in its target. Raises ConfigError, at its place, for a target that is no model."""
        if not self:
            return loaded
        target = loaded.suite.target
        if target.model is None:
            kind = next(name for name in ("function", "outputs", "guard") if getattr(target, name) is not None)
            asked = " and ".join(f"{field} {text}" for field, text in self.given.items())
            said = (
                f"the target is {kind}, which has no model to replace; {asked} can be run where the target is a model"
            )
            raise ConfigError(loaded.problem(f"target.{kind}", said))
        changed = target.model_copy(update=dict(self.given))
        return replace(loaded, suite=loaded.suite.model_copy(update={"target": changed}))


NOTHING_ELSE = Instead()
