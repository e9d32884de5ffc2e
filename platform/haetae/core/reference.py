"""A reference to a registered thing: `name@alias`, `name@3`, `name@sha256:…` or `name` (its newest)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from haetae.errors import ConfigError

Kind = Literal["model", "prompt", "dataset"]
KINDS: tuple[Kind, ...] = ("model", "prompt", "dataset")

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_name(name: str) -> str:
    """A name that is safe in paths, URLs and trackers; letters of every script are letters.

    Raises ConfigError: a name has 1 to 64 letters, digits, '.', '-' and '_', starts with a letter or
    digit, has no two dots in a row and is not a device name of Windows.
    """
    if not _NAME.fullmatch(name) or ".." in name or _RESERVED.fullmatch(name):
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise ConfigError(
            f"{shown!r} is not a name: use 1 to 64 letters (of any script), digits, '.', '-' or '_', "
            "starting with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True)
class Reference:
    """`name@selector`. The selector is an alias, a version number, a digest, or None for the newest."""

    name: str
    selector: str | int | None = None

    def __str__(self) -> str:
        return self.name if self.selector is None else f"{self.name}@{self.selector}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `name`, `name@alias`, `name@3` or `name@sha256:…`. Raises ConfigError."""
        name, at, selector = text.partition("@")
        check_name(name)
        if not at:
            return cls(name)
        if selector.isascii() and selector.isdigit():
            return cls(name, int(selector))
        if re.fullmatch(r"sha256:[0-9a-f]{8,64}", selector):
            return cls(name, selector)
        return cls(name, check_name(selector))
