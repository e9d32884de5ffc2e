"""Registered models and prompts in MLflow's registries: one version there for each version here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from haetae.core.canonical import Json, dumps, loads
from haetae.core.ledger import Version
from haetae.core.secrets import redact_json
from haetae.errors import RegistryError, TrackerError
from haetae.trackers.mlflow_names import registered_name

log = logging.getLogger("haetae.trackers.mlflow")

_LONGEST_PARAM = 6000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A version there. `model_id` is the logged model behind a registered model."""

    kind: Literal["model", "prompt"]
    name: str
    version: int
    model_id: str | None = None

    @property
    def uri(self) -> str:
        return f"{self.kind}s:/{self.name}/{self.version}"


class MlflowRegistry:
    """Mirrors versions and reads them back. `experiment` gives the id of an experiment by name."""

    def __init__(self, client: MlflowClient, tracking_uri: str, experiment: Callable[[str], str]) -> None:
        self._client = client
        self._tracking_uri = tracking_uri
        self._experiment = experiment

    def mirror(self, version: Version) -> Mirrored:
        """The version with this content there, registered if it is not; aliases follow ours."""
        if version.kind == "dataset":
            raise TrackerError("MLflow mirrors models and prompts; a dataset travels with the runs on it")
        name = self._name(version)
        mirrored = self._find(version, name) or (
            self._register_prompt(version, name) if version.kind == "prompt" else self._register_model(version, name)
        )
        point = self._client.set_prompt_alias if version.kind == "prompt" else self._client.set_registered_model_alias
        for alias in version.aliases:
            if alias == "latest" or re.fullmatch(r"[vV]\d+", alias) or not re.fullmatch(r"[\w-]+", alias):
                log.warning("MLflow takes no alias %r: %s keeps it here only", alias, version.reference)
            else:
                point(name, alias, mirrored.version)  # type: ignore[arg-type]  # numbers do for models too
        return mirrored

    def _name(self, version: Version) -> str:
        """MLflow keeps models and prompts under one set of names: the second of a name gets its kind."""
        name = registered_name(version.name)
        other = "model" if version.kind == "prompt" else "prompt"
        return f"{name}-{version.kind}" if self._exists(other, name) else name

    def _exists(self, kind: str, name: str) -> bool:
        if kind == "prompt":
            return name in {found.name for found in self._client.search_prompts(f"name = '{name}'")}
        return bool(self._client.search_registered_models(f"name = '{name}'"))

    def _find(self, version: Version, name: str) -> Mirrored | None:
        for theirs in self._versions(version.kind, name):
            if theirs.tags.get("haetae.digest") == version.digest:
                if version.kind == "prompt":
                    return Mirrored("prompt", name, int(theirs.version))
                return Mirrored("model", name, int(theirs.version), _model_id(theirs.source))
        return None

    def _versions(self, kind: str, name: str) -> Iterator[Any]:
        """All versions there, in no order; none when the name is unknown."""
        token, more = None, self._exists(kind, name)
        while more:
            page = (
                self._client.search_prompt_versions(name, _PAGE, token)
                if kind == "prompt"
                else self._client.search_model_versions(f"name = '{name}'", _PAGE, page_token=token)
            )
            yield from page
            token = page.token
            more = bool(token)

    def _register_prompt(self, version: Version, name: str) -> Mirrored:
        made = self._client.register_prompt(
            name, redact_json(_messages(version.content)), version.reference, tags=_tags(version)
        )
        return Mirrored("prompt", name, int(made.version))

    def _register_model(self, version: Version, name: str) -> Mirrored:
        """An external model: its parameters and no weights."""
        params = {key: _written(value) for key, value in redact_json(dict(version.content)).items()}
        for key, text in params.items():
            if len(text) > _LONGEST_PARAM:
                raise TrackerError(f"{version.reference}: {key} has {len(text):,} characters; MLflow takes 6,000")
        # with a database and no server, MLflow looks a model's source up in the process-wide store only
        mlflow.set_tracking_uri(self._tracking_uri)
        model = self._client.create_logged_model(
            self._experiment("models"),
            re.sub(r"[/:.%\"']", "-", name),
            tags=_tags(version) | {"mlflow.model.isExternal": "true"},
            params=params,
            model_type="endpoint",
        )
        self._client.finalize_logged_model(model.model_id, "READY")
        try:
            self._client.create_registered_model(name)
        except MlflowException as exc:
            if exc.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self._client.create_model_version(
            name,
            model.model_uri,
            tags=_tags(version),
            description=version.reference,
            await_creation_for=0,
            model_id=model.model_id,
        )
        return Mirrored("model", name, int(made.version), model.model_id)

    def resolve(self, kind: str, name: str, selector: str | int | None) -> tuple[str, Json]:
        """The version and the content there now: no cache stands between an alias that moved and a gate."""
        if kind not in ("model", "prompt"):
            raise RegistryError(f"mlflow: keeps models and prompts, no {kind}")
        if isinstance(selector, str) and selector.startswith("sha256:"):
            raise RegistryError(f"mlflow:{name}: MLflow finds a version by number or alias, not by digest")
        shown = f"mlflow:{name}" + ("" if selector is None else f"@{selector}")
        registered = registered_name(name)
        try:
            found = self._version(kind, registered, selector)
        except MlflowException as exc:
            if exc.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
                raise
            raise RegistryError(f"{shown} is not in MLflow: {exc.message}") from exc
        if found is None:
            raise RegistryError(f"MLflow has no {kind} {shown}")
        if kind == "prompt":
            return str(found.version), _messages(found.template)
        if (model_id := _model_id(found.source)) is None:
            raise RegistryError(f"{shown} holds weights, no endpoint and its parameters ({found.source})")
        parameters = self._client.get_logged_model(model_id).params
        return str(found.version), {key: _read(text) for key, text in parameters.items()}

    def _version(self, kind: str, name: str, selector: str | int | None) -> Any:
        """One version there by number or alias, the newest without either; None when there is none."""
        if selector is None or selector == "latest":
            return max(self._versions(kind, name), key=lambda found: int(found.version), default=None)
        if kind == "prompt":  # not load_prompt: it caches, and links to whatever experiment is active
            return self._client.get_prompt_version(name, selector)
        if isinstance(selector, int):
            return self._client.get_model_version(name, str(selector))
        return self._client.get_model_version_by_alias(name, selector)


def _model_id(source: str | None) -> str | None:
    """`models:/m-…` is a logged model; anything else has no parameters."""
    found = re.fullmatch(r"models:/(m-[0-9a-f]+)", source or "")
    return found[1] if found else None


def _tags(version: Version) -> dict[str, str]:
    return {"haetae.digest": version.digest, "haetae.version": version.reference}


def _messages(content: Json) -> list[dict[str, Json]]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    if isinstance(content, Mapping):
        return _messages(content["messages"])
    return [{"role": turn["role"], "content": turn["content"]} for turn in content]


def _written(value: Json) -> str:
    """A parameter as text that reads back as itself: plain where it can be, JSON where it must be."""
    if isinstance(value, str) and _read(value) == value:
        return value
    return dumps(value)


def _read(text: str) -> Json:
    try:
        return loads(text)
    except ValueError:
        return text
