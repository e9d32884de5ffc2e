"""Recorded outputs as the target: score what a system has already answered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation
from haetae.core.sample import Sample


class Recorded:
    """Answers joined to samples by id; `stages` are the names of those that any of them has.

    The file is read along with the samples: memory stays small when both are in the same order, and
    holds the answers read ahead when they are not.
    """

    free = True
    reusable = False
    deterministic = True

    def __init__(
        self,
        outputs: Iterator[tuple[str, Generation]],
        fingerprint: Mapping[str, Json],
        stages: Collection[str] = (),
    ) -> None:
        self._outputs = outputs
        self._fingerprint = fingerprint
        self.stages = stages
        self._ahead: dict[str, Generation] = {}

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The name and SHA-256 of the file."""
        return {"kind": "outputs", **self._fingerprint}

    def request(self, sample: Sample) -> Json:
        """The id, which joins."""
        return sample.id

    async def generate(self, sample: Sample, request: Json, repeat: int) -> Generation | Failure:
        """The recorded answer, or why there is none."""
        return self.answer(sample.id)

    def answer(self, sample_id: str) -> Generation | Failure:
        """The recorded answer of a sample; a second question for the same id finds nothing."""
        found = self._ahead.pop(sample_id, None)
        while found is None:
            entry = next(self._outputs, None)
            if entry is None:
                return Failure(reasons.NO_OUTPUT, f"no recorded output has the id {sample_id!r}")
            if entry[0] == sample_id:
                found = entry[1]
            else:
                self._ahead[entry[0]] = entry[1]
        return found

    async def aclose(self) -> None:
        """Nothing to give back."""
