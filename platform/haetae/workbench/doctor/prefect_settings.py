"""Where Prefect's server is and with which key: from the environment, else from the profile that is active."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path


def prefect_settings(env: Mapping[str, str]) -> dict[str, str]:
    """All PREFECT_ settings that are made anywhere; a file that cannot be read makes none."""
    home = Path(env.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser()
    file = Path(env.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):  # Prefect itself goes on without
        told = {}
    active = env.get("PREFECT_PROFILE") or told.get("active")
    profile = told.get("profiles", {}).get(active, {})
    said = {name: str(value) for name, value in profile.items()} if isinstance(profile, dict) else {}
    return said | {name: value for name, value in env.items() if name.startswith("PREFECT_")}
