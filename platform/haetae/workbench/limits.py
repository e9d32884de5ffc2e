"""The limiters of one suite: one per base URL."""

from __future__ import annotations

from haetae.core.clock import Clock
from haetae.core.model_spec import ModelSpec
from haetae.core.pace import Pacing
from haetae.core.run import LimitChange
from haetae.core.suite import LimitSpec
from haetae.engine.limits.course import Course
from haetae.engine.limits.limiter import Limiter
from haetae.engine.limits.permits import Permits
from haetae.engine.watch import EndpointState


class Limits:
    """Whatever of a suite asks an endpoint, as target or as judge, shares its limiter; with other suites and
    processes it shares the endpoint's requests and tokens a minute, of several models' rates the lowest. An endpoint's
    key is a digest of its base URL, in which the environment may have put a secret; its place is the URL as it was
    registered."""

    def __init__(self, limits: LimitSpec, clock: Clock, pacing: Pacing) -> None:
        self._limits = limits
        self._clock = clock
        self._pacing = pacing
        self._course = Course(clock)
        self._limiters: dict[str, Limiter] = {}
        self._permits: dict[str, Permits] = {}

    def of(self, key: str, place: str) -> Limiter:
        """The limiter of the endpoint with this key, or of a model in this process: people are shown the `place`."""
        known = self._limiters.get(key)
        if known is None:
            most, least = self._limits.in_flight, self._limits.least_in_flight
            known = self._limiters[key] = Limiter(most, self._clock, place=place, least=least, course=self._course)
        return known

    def keep_to(self, spec: ModelSpec, key: str) -> None:
        """Keep to the rates of a model there, where it has any."""
        requests, tokens = spec.requests_per_minute, spec.tokens_per_minute
        if requests is None and tokens is None:
            return
        permits = self._permits.get(key)
        if permits is None:
            permits = self._permits[key] = Permits(key, self._pacing, self._clock)
        permits.keep_to(requests, tokens)
        self.of(key, spec.base_url).keep_to(permits, requests)

    @property
    def states(self) -> tuple[EndpointState, ...]:
        """How every endpoint is asked now."""
        return tuple(limiter.state for limiter in self._limiters.values())

    @property
    def course(self) -> tuple[LimitChange, ...]:
        """How hard they were asked until now."""
        return self._course.changes
