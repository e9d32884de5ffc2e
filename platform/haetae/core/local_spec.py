"""A LocalSpec: a causal language model in a folder of the project, run in this process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from haetae.core.canonical import Json
from haetae.core.suite import Spec

DType = Literal["float32", "bfloat16", "float16"]


class LocalDecoding(Spec):
    """How a local model writes. Without a temperature, or at 0, it takes the likeliest token each time."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: int = Field(256, ge=1, le=32_768)
    seed: int = 0


class LocalSpec(Spec):
    """One model folder as transformers saves it: config.json, tokenizer.json and weights in safetensors.

    Never a name on a hub. `window` and `stride` are how a text that is longer than the model's context is
    scored: in windows of that many tokens, of which each further one scores `stride` new ones.
    """

    path: str = Field(min_length=1, description="the model's folder, from this file; registered from the project")
    digest: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="SHA-256 of its files; registering adds it")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?|mps)$", description="where it runs")
    dtype: DType | None = Field(None, description="default: float32 on a CPU, bfloat16 elsewhere")
    bos: bool = Field(True, description="put the tokenizer's BOS, where it has one, before each text")
    window: int | None = Field(None, ge=2, description="tokens seen at once; default: the model's context")
    stride: int | None = Field(None, ge=1, description="new tokens of each further window; default: half a window")
    batch_tokens: int | None = Field(
        None, ge=1, le=2**20, description="tokens scored at once; default: 512 on a CPU, 8192 elsewhere"
    )
    parameters: LocalDecoding = LocalDecoding()

    @model_validator(mode="after")
    def _sees_what_stands_before(self) -> LocalSpec:
        if self.stride is not None and self.window is not None and self.stride >= self.window:
            raise ValueError(f"stride: {self.stride} is not below window ({self.window}): a token would go unscored")
        return self

    def as_json(self) -> Json:
        """What is registered: only what was said."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    @property
    def precision(self) -> DType:
        """The numbers that it is computed in."""
        return self.dtype or ("float32" if self.device == "cpu" else "bfloat16")

    @property
    def at_once(self) -> int:
        """How many tokens are scored at once: what fits a processor's cache, or fills a graphics card."""
        return self.batch_tokens or (512 if self.device == "cpu" else 8192)
