"""Who looks: the people that are told of changes, and the dashboard that messages lead to."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from haetae.core.secrets import redact
from haetae.errors import TrackerError
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.workbench.doctor.asking import ask

_LOOK_S = 30.0


def alerts(settings: Settings) -> Iterator[Finding]:
    """Whether anybody is told, by what name, and at what is an address. Nobody is written to, and none is shown."""
    if not settings.alerts:
        yield Finding("fine", "nobody is told of changes; HAETAE_ALERTS takes addresses")
    elif find_spec("apprise") is None:
        missing = "HAETAE_ALERTS names addresses, and apprise, which tells them, is not installed"
        yield Finding("problem", f"{missing}: pip install -e '.[alerts]'")
    else:
        from haetae.trackers.alerts import Messenger

        known = []
        for address in settings.alerts:
            try:
                Messenger(address, settings.alerts_allow, lambda: _LOOK_S).look()
            except TrackerError as exc:
                yield Finding("problem", f"HAETAE_ALERTS: nobody is told at {address.name}: {exc}")
            else:
                known.append(address.name)
        if known:
            yield Finding("fine", f"people are told at {', '.join(known)}")


def dashboard(settings: Settings) -> Iterator[Finding]:
    """Whether the dashboard that messages lead to is there."""
    if settings.link is None:
        if settings.alerts:
            yield Finding("warning", "messages have no link; set HAETAE_LINK to the address of the dashboard")
        else:
            yield Finding("fine", "the dashboard is on this machine where haetae dashboard starts it")
        return
    where, answer = redact(settings.link), ask(settings.link)
    if isinstance(answer, str):
        yield Finding("warning", f"the dashboard at {where} cannot be reached: {answer}; start it, or mend HAETAE_LINK")
    elif answer.status >= 500:
        yield Finding("warning", f"the dashboard at {where} answers {answer.status}; look at its log")
    else:
        yield Finding("fine", f"the dashboard at {where} answers")
