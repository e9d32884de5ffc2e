"""Where W&B is and with which key, read as its own library reads it: before that is loaded, and without the network."""

from __future__ import annotations

import configparser
import netrc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

CLOUD = "https://api.forge.coreweave.com"
"""Where wandb 0.31 goes unless it is told otherwise."""
_LEAST = 40
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, which nobody is shown, and where it was found."""

    text: str = field(repr=False)
    source: str

    @property
    def fault(self) -> str | None:
        """Why W&B would refuse it unasked; None where its form is right."""
        if _TOKEN.fullmatch(self.text):
            return None
        secret = self.text.partition("-")[2] or self.text
        if not re.fullmatch(r"[\w-]+", secret):
            return "it has characters that no key has"
        return f"it has {len(secret)} characters, a key has {_LEAST} or more" if len(secret) < _LEAST else None


def address(env: Mapping[str, str]) -> str:
    """The server: WANDB_BASE_URL, W&B's own settings file, or its cloud."""
    folder = Path(env.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb")
    file = configparser.ConfigParser()
    try:
        file.read(folder / "settings", encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):  # wandb warns of it itself, and goes on without
        file.clear()
    said = env.get("WANDB_BASE_URL") or file.get("default", "base_url", fallback=None) or CLOUD
    return said.rstrip("/")


def key(env: Mapping[str, str]) -> Key | None:
    """The key from WANDB_API_KEY or netrc; None where there is none."""
    if text := env.get("WANDB_API_KEY"):
        return Key(text, "WANDB_API_KEY")
    named = env.get("NETRC")
    for file in [Path(named).expanduser()] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            found = netrc.netrc(str(file)).authenticators(urlsplit(address(env)).netloc)
        except (OSError, netrc.NetrcParseError):  # not there, or nothing that W&B could read either
            continue
        if found and found[2]:
            return Key(found[2], str(file))
    return None
