"""Where alerts go: URLs of Apprise, of which nothing is ever shown but the place in the list and the schema."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_SCHEMA = re.compile(r"([a-z][a-z0-9]{0,31})://\S", re.IGNORECASE)
_OF_THIS_MACHINE = frozenset(
    {"dbus", "file", "ftp", "gio", "glib", "gnome", "gopher", "growl", "kde", "macosx", "qt", "rsyslog", "syslog"}
    | {"windows"}
)
"""What writes to this machine's own log, bus or desktop, or reads its files: no address of a message."""
_OF_FILES = frozenset({"template", "attach", "keyfile", "key_file", "subfile", "pgpkey", "pgp_key", "pgppub", "pgpprv"})
"""What makes Apprise read a file, or fetch one."""


@dataclass(frozen=True, slots=True)
class AlertAddress:
    """One address. `url` holds keys and passwords; `name` (`address 2 (slack)`) is what may be shown and kept."""

    name: str
    url: str = field(repr=False)


def alert_addresses(text: str) -> tuple[AlertAddress, ...]:
    """The addresses in a text, apart by blanks or lines. Raises ValueError naming the place of a wrong one."""
    found = []
    for place, url in enumerate(text.split(), start=1):
        schema = _SCHEMA.match(url)
        if schema is None:
            raise ValueError(f"address {place} is none: expected schema://…, as slack://… or mailtos://…")
        name = schema[1].lower()
        if name in _OF_THIS_MACHINE:
            raise ValueError(f"address {place} is of {name}:, which reads or writes on this machine: nobody is told")
        if _options(url) & _OF_FILES:
            raise ValueError(f"address {place} ({name}:) names a file or a template to read, which no alert does")
        found.append(AlertAddress(f"address {place} ({name})", url))
    return tuple(found)


def _options(url: str) -> frozenset[str]:
    """The names of the options in a URL, as Apprise reads them: decoded, of any case, with blanks around them."""
    pairs = re.split("[?&;]", url.partition("?")[2])
    return frozenset(unquote(pair.partition("=")[0].replace("+", " ")).strip().lower() for pair in pairs)
