"""NeMo Guardrails as a stage of a guard: its input rails on the text, without its models and its telemetry."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["NEMO_GUARDRAILS_NO_USAGE_STATS"] = "1"  # read when rails are made

import nemoguardrails
from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.rails.llm.options import RailStatus, RailType

from haetae.core import reasons
from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure
from haetae.core.guard import Check
from haetae.core.secrets import redact
from haetae.engine.code_files import code_files
from haetae.engine.contained import Left, awaited, contained
from haetae.errors import ConfigError, boundary

_LOG = logging.getLogger("nemoguardrails")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False  # it writes texts and what actions raise as they are, secrets too

_LEFT: ContextVar[list[Left]] = ContextVar("left")
"""What the actions of one check raised that was to end more than themselves."""


class NemoStage:
    """The input rails of a configuration folder. What they block is stopped, all else left to the next stage.

    The folder's `config.py` and `actions.py` are code of the project and run, as a `function` does. A folder that
    configures models is refused: their calls would pass neither the budget nor the limits of the suite. So is one
    with documents (`kb/`), for which the library would download an embedding model, and one that imports from
    elsewhere. A text whose action raises is blocked by the library itself, whose log is silent: it shows texts.
    """

    reusable = False
    deterministic = False

    def __init__(self, folder: Path, *, cost_usd: float | None, timeout_s: float) -> None:
        with boundary(ConfigError, f"{folder.name} is not a configuration of NeMo Guardrails"), contained():
            files = code_files(folder)
            config = RailsConfig.from_path(str(folder))
            _check_imports(config, folder)
            if config.docs:
                raise ConfigError(f"{folder.name} has documents (kb/), for which an embedding model would be fetched")
            if config.models:
                engines = ", ".join(sorted(model.type for model in config.models))
                raise ConfigError(f"{folder.name} configures models ({engines}); ask a model in a judge stage instead")
            if not config.rails.input.flows:
                raise ConfigError(f"{folder.name} has no input rails, so it would block nothing")
            self._rails = _made(config)
        self._digest = _digest(folder, files)
        self._cost_usd = cost_usd
        self._timeout_s = timeout_s
        self.free = cost_usd == 0

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """Every file of the folder by content, and the library's version."""
        return {"kind": "nemo", "config": self._digest, "nemoguardrails": version("nemoguardrails")}

    async def check(self, text: str) -> Check | Failure:
        """The input rails on one text, within the deadline."""
        left: list[Left] = []
        _LEFT.set(left)
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                found = await self._rails.check_async([{"role": "user", "content": text}], [RailType.INPUT])
                if left:
                    raise left[0]
        except Exception as exc:
            if isinstance(exc, TimeoutError) and deadline.expired():
                return Failure(reasons.TIMEOUT, f"the rails did not answer in {self._timeout_s:g} s")
            return Failure(reasons.TARGET_RAISED, redact(f"{type(exc).__name__}: {exc}"))
        return Check(True if found.status is RailStatus.BLOCKED else None, cost_usd=self._cost_usd)


def _made(config: RailsConfig) -> LLMRails:
    """Rails made in a loop and a thread of their own: made without a loop they leave one open behind them."""

    async def make() -> LLMRails:
        return LLMRails(config)

    with ThreadPoolExecutor(1) as pool:
        rails = pool.submit(asyncio.run, make()).result()
    actions = rails.runtime.action_dispatcher
    execute = actions.execute_action

    async def executed(name: str, parameters: dict[str, Any]) -> Any:
        """The action, contained right here: rails that run beside one another have tasks of their own."""
        try:
            return await awaited(execute(name, parameters))
        except Left as exc:
            _LEFT.get().append(exc)
            return None, "failed"  # as the library says of an action that raised

    actions.execute_action = executed
    return rails


def _check_imports(config: RailsConfig, folder: Path) -> None:
    """Raises ConfigError where code would be run that is neither the folder's nor the library's."""
    places = (folder.resolve(), Path(nemoguardrails.__file__).resolve().parent)
    for name, path in (config.imported_paths or {}).items():
        if not any(Path(path).resolve().is_relative_to(place) for place in places):
            raise ConfigError(f"{folder.name} imports {name} from {path}, which is outside the folder")
    for there in (Path.cwd() / "actions.py", Path.cwd() / "actions"):
        if there.exists() and not there.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"NeMo Guardrails would run {there} too; start haetae in another folder, or rename it")


def _digest(folder: Path, files: Sequence[Path]) -> str:
    """SHA-256 over the names and contents of all files of the folder."""
    named = [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return digest(named)
