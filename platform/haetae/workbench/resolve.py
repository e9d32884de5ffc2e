"""References become things: models with limits and retries, prompts, pinned versions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from haetae.catalog.code_folder import locate_code
from haetae.catalog.files import locate
from haetae.catalog.prompt_file import load_prompt
from haetae.catalog.recorded import open_outputs
from haetae.core.canonical import Json, digest
from haetae.core.clock import Clock
from haetae.core.code_folder import CodeFolder
from haetae.core.local_spec import LocalSpec
from haetae.core.metric import Metric
from haetae.core.model import LanguageModel
from haetae.core.model_spec import ModelSpec
from haetae.core.outputs import Outputs
from haetae.core.pace import Pacing
from haetae.core.reference import Kind, Reference
from haetae.core.registry import Registry
from haetae.core.spans import Spans
from haetae.core.suite import Suite
from haetae.core.template import Prompt
from haetae.core.tracker import Mirror
from haetae.engine.budget import Meter
from haetae.engine.functions import load_function
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.engine.spanned import SpannedModel
from haetae.errors import ConfigError, HaetaeError, JudgeError, RegistryError, boundary
from haetae.targets.local import Local
from haetae.targets.wire import Price
from haetae.workbench.limits import Limits
from haetae.workbench.local_models import local_model
from haetae.workbench.shipped import shipped_rubric
from haetae.workbench.unregistered import check_reference, unregistered

if TYPE_CHECKING:
    from haetae.targets.endpoint import Endpoint

_PROMPT_SUFFIXES = frozenset({".md", ".txt", ".j2", ".yaml", ".yml"})
MIRROR = "mlflow:"
"""What a reference starts with that is resolved from MLflow's registry instead of ours."""


class Resolver:
    """Resolves the references of one suite, once, and remembers what each was pinned to.

    Models that share a base URL share one limiter and one breaker; all calls of the run pass one meter.
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
        pacing: Pacing,
        code: Iterable[Path] = (),
        seed: int = 0,
        spans: Spans | None = None,
    ) -> None:
        self._suite = suite
        self._folder = folder
        self._root = root
        self._registry = registry
        self._env = env
        self._code = tuple(code)
        self._clock = clock
        self.meter = meter
        self._mirror = mirror
        self._rng = random.Random(seed)  # noqa: S311  # jitter of retries, not a secret
        self._spans = spans
        self.limits = Limits(suite.limits, clock, pacing)
        self._breakers: dict[str, Breaker] = {}
        self._models: dict[tuple[str, type[HaetaeError]], LanguageModel] = {}
        self._locals: dict[str, Local] = {}
        self._prices: dict[str, Price | None] = {}
        self._rates: dict[str, int | None] = {}
        self.pins: dict[str, str] = {}

    def model(self, text: str, error: type[HaetaeError] = JudgeError) -> LanguageModel:
        """The model a reference names. `error` is raised when no call to it can succeed any more."""
        known = self._models.get((text, error))
        if known is None:
            known = self._connect(text, self._content("model", text), error)
            known = self._models[text, error] = known if self._spans is None else SpannedModel(known, self._spans)
        return known

    def prompt(self, text: str) -> Prompt:
        """The prompt in a file beside the suite, a registered one, or a rubric that ships (`helpfulness.ko`)."""
        if Path(text).suffix in _PROMPT_SUFFIXES:
            return load_prompt(locate(text, folder=self._folder, root=self._root))
        rubric = shipped_rubric(text)
        if rubric is not None and not self._registry.versions("prompt", text):
            return replace(load_prompt(rubric, rubric.parent), name=text, file=None)
        content = self._content("prompt", text)
        with boundary(ConfigError, f"prompt {text} is not a chat template"):
            return Prompt.of(text.removeprefix(MIRROR).partition("@")[0], content)

    def file(self, text: str) -> Path:
        """A file or folder of the project, named from the suite's folder."""
        return locate(text, folder=self._folder, root=self._root)

    def code(self, text: str) -> CodeFolder:
        """A folder whose code may be run, because the settings allow it."""
        found = locate_code(text, folder=self._folder, allowed=self._code)
        return replace(found, timeout_s=self._suite.limits.timeout_s)

    def function(self, text: str) -> Callable[..., Metric]:
        """A function of the project that is decorated as a metric."""
        from haetae.metrics.own.function import MetricFunction  # with regex, which only a metric needs

        if ":" not in text:
            raise ConfigError(f"{text} is written module:function")
        found = load_function(text, self._folder, self._root)
        if not isinstance(found, MetricFunction):
            raise ConfigError(f"{text} is not decorated with @haetae.metric, which says its range")
        return found.within(self._suite.limits.timeout_s)

    def outputs(self, text: str) -> Outputs:
        """What another system answered, from a file of recorded outputs in the project."""
        file = self.file(text)
        answers = {name: answer.output for name, answer in open_outputs(file, root=self._root)}
        return Outputs(file.name, {name: answer for name, answer in answers.items() if answer.strip()})

    def price(self, fingerprint: Mapping[str, Json]) -> Price | None:
        """What a model that was resolved here costs; None where it has no price."""
        return self._prices.get(digest(dict(fingerprint)))

    def requests_per_minute(self, fingerprint: Mapping[str, Json]) -> int | None:
        """The rate that a model that was resolved here is kept to; None where it has none."""
        return self._rates.get(digest(dict(fingerprint)))

    def default(self, role: str) -> str | None:
        """The suite's own choice of `judge` or `embeddings`, None when it made none."""
        return self._suite.judge if role == "judge" else self._suite.embeddings

    def _content(self, kind: Kind, text: str) -> Json:
        if text.startswith(MIRROR):
            reference = Reference.parse(text.removeprefix(MIRROR))
            number, content = self._mirror().resolve(kind, reference.name, reference.selector)
            self.pins[text] = f"{MIRROR}{reference.name}@{number}"
            return content
        check_reference(kind, text)
        try:
            version = self._registry.find(kind, Reference.parse(text))
        except RegistryError as exc:
            raise unregistered(kind, text, self._registry, exc) from exc
        self.pins[text] = version.reference
        return version.content

    def _connect(self, text: str, content: Json, error: type[HaetaeError]) -> LanguageModel:
        spec = spec_of(text, content)
        model: Endpoint | Local
        if isinstance(spec, LocalSpec):
            model, key, place = self._local(text, spec), spec.path, spec.path
        else:
            model = self._endpoint(text, spec)
            key, place = _key(model.base_url), spec.base_url
        limits = self._suite.limits
        limiter = self.limits.of(key, place)
        breaker = self._breakers.setdefault(key, Breaker(limits.in_flight, self._rng))
        local = isinstance(model, Local)  # what is computed here is neither late nor sooner done twice
        return Patient(
            model,
            limiter,
            breaker,
            self.meter,
            error=error,
            tries=limits.tries,
            deadline_s=None if local else limits.call_deadline_s,
            hedge_after_s=None if local else limits.hedge_after_s,
            rng=self._rng,
        )

    def _local(self, text: str, spec: LocalSpec) -> Local:
        """A model in this process: free, and loaded once whatever it serves as."""
        key = digest(spec.as_json())
        known = self._locals.get(key)
        if known is None:
            known = self._locals[key] = local_model(text, spec, self._root, self._clock)
            self._prices[digest(dict(known.fingerprint))] = Price(0.0, 0.0)
        return known

    def _endpoint(self, text: str, spec: ModelSpec) -> Endpoint:
        filled = spec.resolved(self._env)
        _check_sendable(spec, self._env)
        limits, budget = self._suite.limits, self._suite.budget
        if budget is not None and budget.usd is not None and spec.price is None:
            raise ConfigError(f"budget.usd: model {text} has no price, so its cost could not be counted; give it one")
        headers = dict(filled.headers)
        if filled.api_key:
            headers |= (
                {"api-key": filled.api_key} if spec.api_version else {"Authorization": f"Bearer {filled.api_key}"}
            )
        if filled.organization:
            headers["OpenAI-Organization"] = filled.organization
        fingerprint = spec.fingerprint
        price = Price(spec.price.input, spec.price.output, spec.price.cached_input) if spec.price else None
        self._prices[digest(fingerprint)] = price
        self._rates[digest(fingerprint)] = spec.requests_per_minute
        key = _key(filled.base_url)
        self.limits.keep_to(spec, key)
        if spec.requests_per_minute is not None:  # loading it between two calls would let them arrive together
            import_module("haetae.targets.connections")
        from haetae.targets.endpoint import Endpoint  # a suite of recorded outputs, or of functions, has none

        return Endpoint(
            base_url=filled.base_url,
            model=spec.model,
            clock=self._clock,
            fingerprint=fingerprint,
            headers=headers,
            query={"api-version": spec.api_version} if spec.api_version else {},
            price=price,
            key_names=spec.variables,
            secrets=[value for name in spec.variables if "://" not in (value := self._env[name])],
            timeout_s=limits.timeout_s,
            connections=limits.in_flight,
            on_quotas=self.limits.of(key, spec.base_url).told,
        )

    async def aclose(self) -> None:
        """Close every connection that was opened."""
        for model in self._models.values():
            await model.aclose()


def spec_of(text: str, content: Json) -> ModelSpec | LocalSpec:
    """What was registered. Raises ConfigError."""
    kind: type[ModelSpec | LocalSpec] = LocalSpec if isinstance(content, dict) and "path" in content else ModelSpec
    try:
        return kind.model_validate(content)
    except ValidationError as exc:  # its own text repeats what was given, which may be a secret
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in exc.errors()]
        raise ConfigError(f"model {text} cannot be used: {'; '.join(faults)}") from None


def _key(base_url: str) -> str:
    """What stands for an endpoint wherever its limits are kept: its address may hold a secret."""
    return digest(base_url.rstrip("/"))


def _check_sendable(spec: ModelSpec, env: Mapping[str, str]) -> None:
    """Raises ConfigError, without the value, for a variable that no header can carry (a line break at its end)."""
    for name in spec.variables:
        if not (env[name].isascii() and env[name].isprintable()):
            raise ConfigError(f"the environment variable {name} holds a line break or a character that is not ASCII")
