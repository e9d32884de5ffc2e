"""What a guard file says: the stages of a cascade, in order, as a frozen specification."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from haetae.core.guard import Decision
from haetae.core.suite import Spec

Normalise = Literal["NFC", "NFKC"]
_KINDS = ("rules", "function", "similarity", "judge", "nemo")
_TAKES = {
    "model": ("similarity", "judge"),
    "block_from": ("function", "similarity"),
    "pass_below": ("function", "similarity"),
    "cost_usd": ("function", "nemo"),
}
"""Which kinds of stage each parameter goes with."""


class RulesSpec(Spec):
    """Words and patterns; a text that has one of them is decided."""

    words: str | None = Field(None, description="the path of a word list: one word or phrase a line")
    patterns: list[str] = Field(default_factory=list, description="regular expressions of RE2")
    decides: Decision = Field("block", description="what a hit decides; pass makes a list of what is allowed")
    normalise: Normalise = Field("NFKC", description="the form of Unicode that texts and rules are brought to")

    @model_validator(mode="after")
    def _some(self) -> RulesSpec:
        if self.words is None and not self.patterns:
            raise ValueError("name words, patterns or both")
        return self


class StageSpec(Spec):
    """One stage: a name, its kind, and the parameters of that kind."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    rules: RulesSpec | None = None
    function: str | None = Field(None, description="a Python callable, sync or async: module:function")
    similarity: str | None = Field(None, description="the path of a file with example texts, one a line")
    judge: str | None = Field(None, description="a prompt file, or a registered prompt")
    nemo: str | None = Field(None, description="the folder of a NeMo Guardrails configuration")
    model: str | None = Field(None, description="the registered model that is asked")
    block_from: float | None = Field(None, description="the least score that is blocked")
    pass_below: float | None = Field(None, description="scores below this pass; those between go to the next stage")
    cost_usd: Annotated[float, Field(ge=0, le=1_000_000)] | None = Field(None, description="what one check costs")

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _fits(self) -> StageSpec:
        chosen = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "none"
            raise ValueError(f"a stage is exactly one of {', '.join(_KINDS)}; found {found}")
        kind = chosen[0]
        for name, kinds in _TAKES.items():
            if getattr(self, name) is not None and kind not in kinds:
                raise ValueError(f"{name} goes with {' or '.join(kinds)}, not with {kind}")
        if self.model is None and kind in _TAKES["model"]:
            raise ValueError(f"{kind} asks a model: name one with model:")
        if self.block_from is None and kind == "similarity":
            raise ValueError("similarity needs block_from: which cosine is near depends on the model")
        if self.block_from is not None and self.pass_below is not None and self.pass_below > self.block_from:
            raise ValueError("pass_below is above block_from: a score between would both pass and be blocked")
        if self.function is not None and ":" not in self.function:
            raise ValueError("function is written module:function")
        return self


class GuardSpec(Spec):
    """One guard file: the first stage that decides is obeyed; `default` is said where none does."""

    default: Decision = Field("pass", description="what is decided where no stage decides")
    stages: Annotated[list[StageSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> GuardSpec:
        names = [stage.name for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two stages are called {', '.join(twice)}")
        return self
