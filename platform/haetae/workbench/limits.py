"""The limiters of one suite: one per base URL."""

from __future__ import annotations

from haetae.core.canonical import digest
from haetae.core.clock import Clock
from haetae.core.model_spec import ModelSpec
from haetae.core.pace import Pacing
from haetae.core.run import LimitChange
from haetae.core.suite import LimitSpec
from haetae.engine.course import Course
from haetae.engine.limits import Limiter
from haetae.engine.permits import Permits
from haetae.engine.watch import EndpointState


class Limits:
    """Whatever of a suite asks an endpoint, as target or as judge, shares its limiter; with other suites and
    processes it shares the endpoint's requests and tokens a minute, of several models' rates the lowest."""

    def __init__(self, limits: LimitSpec, clock: Clock, pacing: Pacing) -> None:
        self._limits = limits
        self._clock = clock
        self._pacing = pacing
        self._course = Course(clock)
        self._limiters: dict[str, Limiter] = {}
        self._permits: dict[str, Permits] = {}

    def of(self, place: str) -> Limiter:
        """The limiter of the endpoint at a base URL, or of a model in this process."""
        known = self._limiters.get(place)
        if known is None:
            most, least = self._limits.in_flight, self._limits.least_in_flight
            known = self._limiters[place] = Limiter(most, self._clock, place=place, least=least, course=self._course)
        return known

    def keep_to(self, spec: ModelSpec, place: str) -> None:
        """Keep to the rates of a model there, where it has any."""
        requests, tokens = spec.requests_per_minute, spec.tokens_per_minute
        if requests is None and tokens is None:
            return
        permits = self._permits.get(place)
        if permits is None:  # what is shared is named by a digest: the address may hold a key
            permits = self._permits[place] = Permits(digest(place), self._pacing, self._clock)
        permits.keep_to(requests, tokens)
        self.of(place).keep_to(permits, requests)

    @property
    def states(self) -> tuple[EndpointState, ...]:
        """How every endpoint is asked now."""
        return tuple(limiter.state for limiter in self._limiters.values())

    @property
    def course(self) -> tuple[LimitChange, ...]:
        """How hard they were asked until now."""
        return self._course.changes
