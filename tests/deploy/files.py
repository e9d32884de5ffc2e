"""The files of deployment as tests read them, and programs that look at them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
K8S, UNITS = DEPLOY / "k8s", DEPLOY / "systemd"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SECRET = re.compile(r"PASSWORD|SECRET|AUTH|LOGIN|_KEY$")


def ran(*command: str, **more: Any) -> str:
    """What a command printed. It has to end well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def tool(name: str) -> str:
    """A program that came with the tests' packages."""
    return str(Path(sys.executable).parent / name)
