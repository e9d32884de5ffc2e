"""How the flows of the house end: the names of their states, and which of them are failures.

An automation that waits for the end of a flow run knows these names: Prefect tells of a state by its name.
"""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

_ENDINGS = {
    **dict.fromkeys(("Passed", "Inconclusive", "Completed", "Unchanged", "NotDue"), Completed),
    **dict.fromkeys(("Regressed", "NoVerdict", "Interrupted", "Stopped", "GivenUp"), Failed),
    **dict.fromkeys(("Quiet", "TooFewRuns", "Delivered", "NothingWaits", "Tidied", "Worked"), Completed),
    **dict.fromkeys(("Alarm", "Unserved", "Waiting"), Failed),
}
_PREFECTS = ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut")
"""In which Prefect itself ends a flow run: its error, its person, its process, its own limit of time."""
NAMES = frozenset({*_ENDINGS, *_PREFECTS})
"""All that a flow run of ours can end as."""


def ended(name: str, message: str) -> State[Any]:
    """The state of this name. Raises KeyError for one that no automation would know."""
    return _ENDINGS[name](name=name, message=message)
