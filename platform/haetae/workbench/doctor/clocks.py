"""How far the clocks of two machines may be apart: leases and schedules read both."""

from __future__ import annotations

from collections.abc import Iterator

from haetae.store.health import Finding

_APART_S = 300.0
"""As long as a lease: beyond, a run that goes on looks dead to another machine."""
_NOTED_S = 30.0


def clock(of: str, ahead_s: float | None) -> Iterator[Finding]:
    """What is to be said of the clock of a server: nothing where it goes with ours."""
    if ahead_s is None or abs(ahead_s) < _NOTED_S:
        return
    way = "ahead of" if ahead_s > 0 else "behind"
    said = f"the clock of {of} is {abs(ahead_s):,.0f} s {way} this machine's; leases and schedules read both"
    yield Finding("problem" if abs(ahead_s) > _APART_S else "warning", f"{said}: set both by NTP")
