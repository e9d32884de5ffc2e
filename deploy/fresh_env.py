"""Fills in the secrets of `.env.example`: python deploy/fresh_env.py > deploy/.env"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

EXAMPLE = Path(__file__).with_name(".env.example")


def lines() -> Iterator[str]:
    """The lines of the example; a secret that is empty there, or has a name alone, is a random one of 192 bits."""
    for line in EXAMPLE.read_text("utf-8").splitlines():
        wanted = not line.startswith("#") and line.endswith(("=", ":"))
        yield line + secrets.token_urlsafe(24) if wanted else line


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
