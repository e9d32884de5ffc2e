"""The port of a target: what is evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, runtime_checkable

from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation
from haetae.core.sample import Sample


class Target(Protocol):
    """Answers samples. Every failure of a call is a value; TargetError only when none can succeed.

    `fingerprint` is what fixes its answers: model, prompt, decoding, code. `free` says that a call
    costs nothing worth keeping (recorded outputs). `reusable` says that the fingerprint and the request
    are all that fixes an answer, so that the answer of an earlier run may be taken. `deterministic` says that who is
    asked again answers the same, as long as the fingerprint is the same: nothing drifts behind it. `stages` are the
    names of all stages that its answers can have, None where only an answer tells.
    """

    @property
    def fingerprint(self) -> Mapping[str, Json]: ...

    @property
    def free(self) -> bool: ...

    @property
    def reusable(self) -> bool: ...

    @property
    def deterministic(self) -> bool: ...

    @property
    def stages(self) -> Collection[str] | None: ...

    def request(self, sample: Sample) -> Json:
        """What would be asked for this sample: with the fingerprint it addresses the call.

        Raises ConfigError when the sample cannot be asked (a template variable it lacks), which a
        check before the first call finds.
        """
        ...

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """One answer. `request` is what `request(sample)` returned, so that it is made once."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class AnsweredTarget(Target, Protocol):
    """A target that has all its answers before it is asked: nothing is called, and nothing is waited for."""

    def answer(self, sample_id: str) -> Generation | Failure: ...
