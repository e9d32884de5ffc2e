"""What a command was asked for is wrong."""

from __future__ import annotations

from haetae import HaetaeError


class Refused(HaetaeError):
    """What was asked for is wrong; nothing was made."""

    exit_code = 2
