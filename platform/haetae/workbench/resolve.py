"""References become things: models with limits and retries, prompts, pinned versions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from haetae.catalog.files import locate
from haetae.catalog.prompt_file import load_prompt
from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.ledger import Registry
from haetae.core.model import LanguageModel
from haetae.core.model_spec import ModelSpec
from haetae.core.reference import Kind, Reference
from haetae.core.suite import Suite
from haetae.core.template import Prompt
from haetae.core.tracker import Mirror
from haetae.engine.budget import Meter
from haetae.engine.limits import Limiter
from haetae.engine.retry import Patient
from haetae.errors import HaetaeError, JudgeError
from haetae.targets.endpoint import Endpoint
from haetae.targets.wire import Price

_PROMPT_SUFFIXES = frozenset({".md", ".txt", ".j2", ".yaml", ".yml"})
_MIRROR = "mlflow:"


class Resolver:
    """Resolves the references of one suite, once, and remembers what each was pinned to.

    Models that share a base URL share one limiter; all calls of the run pass one meter.
    """

    def __init__(
        self,
        suite: Suite,
        folder: Path,
        root: Path,
        *,
        registry: Registry,
        env: Mapping[str, str],
        clock: Clock,
        meter: Meter,
        mirror: Callable[[], Mirror],
        seed: int = 0,
    ) -> None:
        self._suite = suite
        self._folder = folder
        self._root = root
        self._registry = registry
        self._env = env
        self._clock = clock
        self._meter = meter
        self._mirror = mirror
        self._rng = random.Random(seed)  # noqa: S311  # jitter of retries, not a secret
        self._limiters: dict[str, Limiter] = {}
        self._models: dict[tuple[str, type[HaetaeError]], LanguageModel] = {}
        self.pins: dict[str, str] = {}

    def model(self, text: str, error: type[HaetaeError] = JudgeError) -> LanguageModel:
        """The model a reference names. `error` is raised when no call to it can succeed any more."""
        known = self._models.get((text, error))
        if known is None:
            known = self._models[text, error] = self._connect(self._content("model", text), error)
        return known

    def prompt(self, text: str) -> Prompt:
        """The prompt in a file beside the suite, or a registered one."""
        if Path(text).suffix in _PROMPT_SUFFIXES:
            return load_prompt(locate(text, folder=self._folder, root=self._root))
        return Prompt.of(text.partition("@")[0].removeprefix(_MIRROR), self._content("prompt", text))

    def default(self, role: str) -> str | None:
        """The suite's own choice of `judge` or `embeddings`, None when it made none."""
        return self._suite.judge if role == "judge" else self._suite.embeddings

    def _content(self, kind: Kind, text: str) -> Json:
        if text.startswith(_MIRROR):
            reference = Reference.parse(text.removeprefix(_MIRROR))
            found = self._mirror().resolve(kind, reference.name, reference.selector)
            self.pins[text] = f"{_MIRROR}{reference.name}@{found['version']}"
            return found["content"]
        version = self._registry.find(kind, Reference.parse(text))
        self.pins[text] = version.reference
        return version.content

    def _connect(self, content: Json, error: type[HaetaeError]) -> LanguageModel:
        spec = ModelSpec.model_validate(content)
        filled = spec.resolved(self._env)
        limits = self._suite.limits
        headers = dict(filled.headers)
        if filled.api_key:
            headers |= (
                {"api-key": filled.api_key} if spec.api_version else {"Authorization": f"Bearer {filled.api_key}"}
            )
        if filled.organization:
            headers["OpenAI-Organization"] = filled.organization
        endpoint = Endpoint(
            base_url=filled.base_url,
            model=spec.model,
            clock=self._clock,
            fingerprint={"base_url": spec.base_url, "model": spec.model, "parameters": dict(spec.parameters)},
            headers=headers,
            query={"api-version": spec.api_version} if spec.api_version else {},
            price=Price(spec.price.input, spec.price.output, spec.price.cached_input) if spec.price else None,
            key_names=spec.variables,
            secrets=[self._env[name] for name in spec.variables],
            timeout_s=limits.timeout_s,
            connections=limits.in_flight,
        )
        limiter = self._limiters.setdefault(endpoint.base_url, Limiter(limits.in_flight, self._clock))
        return Patient(endpoint, limiter, self._meter, error=error, tries=limits.tries, rng=self._rng)

    async def aclose(self) -> None:
        """Close every connection that was opened."""
        for model in self._models.values():
            await model.aclose()
