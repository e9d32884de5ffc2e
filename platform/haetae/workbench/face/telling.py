"""Who is told: trackers, the registry of MLflow, and people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.errors import ConfigError, TrackerError
from haetae.workbench.face.parts import Parts

if TYPE_CHECKING:
    from haetae.workbench.registry.following import Synced
    from haetae.workbench.schedules.overdue import Served


class Told(Parts):
    """Trackers and people are told. A part of the `Workbench`."""

    def sync(self, deadline_s: float = 120.0) -> list[str]:
        """Deliver what trackers and people have missed; one line per delivery or failure."""
        return [*self._telling.sync(deadline_s), *self._alerting.sync(deadline_s)]

    def waiting(self) -> int:
        """How much waits to be delivered: runs to trackers, messages to people."""
        return len(self.ledger.pending()) + self._alerting.waiting()

    def sync_registry(self, deadline_s: float = 120.0) -> Synced:
        """Let the versions and aliases of models and prompts here and in MLflow follow each other.

        Whoever moved an alias is followed by the other side, also where suites use it: no gate is asked. Where both
        moved, nobody follows, and that is said. With MLflow away nothing changes.
        """
        from haetae.workbench.registry.following import RegistrySync, Synced

        try:
            mirror = self._telling.mirror()
        except TrackerError as exc:
            return Synced(lines=(f"nothing was changed: {exc}",), whole=False)
        return RegistrySync(self.ledger, self.ledger, mirror, self._clock)(deadline_s)

    def overdue(self, *places: str | Path) -> Sequence[Served]:
        """The suites in files and folders (default: this one) whose schedule nobody serves any more; people are told of
        it once.

        Meant to be asked every hour, by something else than what serves the schedules. Raises ConfigError where a suite
        is wrong, after looking at the others, and where places are named in which no suite has a schedule.
        """
        from haetae.workbench.schedules.overdue import served

        found, problems = served(self, places)
        self._alerting.raise_overdue(found)
        self._alerting.sync(deadline_s=30.0)
        if problems:
            raise ConfigError(problems)
        return [one for one in found if one.overdue is not None]

    def test_alerts(self) -> Iterator[tuple[str, str | None]]:
        """Send a message to every address of HAETAE_ALERTS: the name of each, and why it did not arrive."""
        return self._alerting.test()
