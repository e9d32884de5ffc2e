"""The stages of a pipeline, as metrics ask for them."""

from __future__ import annotations

from haetae.core import reasons
from haetae.core.generation import Generation, Stage
from haetae.core.score import Score
from haetae.errors import ConfigError


def stage_name(metric: str, parameter: str, value: str) -> str:
    """The name of a stage. Raises ConfigError for a blank one."""
    if not value.strip():
        raise ConfigError(f"{metric}: {parameter} is blank; name a stage of the pipeline, such as rerank")
    return value


def stage_of(generation: Generation, name: str) -> Stage | Score:
    """The stage of a name; where there is none, the unscored score that names those there are."""
    found = generation.stage(name)
    if found is not None:
        return found
    there = ", ".join(stage.name for stage in generation.stages) or "none"
    return Score.unscored(reasons.NOT_MEASURED, f"the answer has no stage {name!r}; there are {there}")


def ranked(stage: Stage) -> tuple[str, ...] | Score:
    """The ids that a stage ranked, best first; unscored where it ranked nothing, as a guard does."""
    if stage.retrieved is None:
        return Score.unscored(reasons.NOT_MEASURED, f"the stage {stage.name!r} gave no ids of passages")
    return stage.retrieved
