"""The samples of a dataset, stretch after stretch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from haetae.core.sample import Sample


class Stretches:
    """Reads what it is given once through, as long as the stretches come in order, and from its start where not."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples
        self._reading = iter(samples)
        self._at = 0

    def of(self, places: range) -> Iterator[Sample]:
        """The samples in these places. Ask for the next stretch when this one is done with."""
        if places.start < self._at:
            self._reading, self._at = iter(self._samples), 0
        while self._at < places.stop:
            sample = next(self._reading, None)
            if sample is None:
                return
            self._at += 1
            if self._at > places.start:
                yield sample
