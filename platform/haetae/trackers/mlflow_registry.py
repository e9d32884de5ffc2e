"""Registered models and prompts in MLflow's registries: one version there for each version here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from haetae.core.canonical import Json, dumps, loads
from haetae.core.registry import Version
from haetae.core.secrets import redact_json
from haetae.core.tracker import TheirName
from haetae.errors import RegistryError, TrackerError
from haetae.trackers.mlflow_names import names_there, registered_name, spellings
from haetae.trackers.mlflow_owners import REFERENCE, oldest_first, owned, owner

_DIGEST = "haetae.digest"
"""The tag with the digest of the version here that a version there is."""
_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
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
        """The version with this content there, registered if it is not. Raises RegistryError where no name is left, and
        where MLflow cannot keep the content as it is: masked or cut off it would be another."""
        if version.kind == "dataset":
            raise TrackerError("MLflow mirrors models and prompts; a dataset travels with the runs on it")
        if why := _unkept(version):
            raise RegistryError(why)
        name, versions = self._home(version)
        return _found(version, name, versions) or (
            self._register_prompt(version, name) if version.kind == "prompt" else self._register_model(version, name)
        )

    def names(self, kind: str) -> Iterator[TheirName]:
        """What is registered there, aliases as they stand now: of versions alone MLflow tells none.

        Where two names there are one here, that comes first in which its versions go.
        """
        found = []
        for registered in self._registered(kind):
            versions = oldest_first(self._pages(kind, registered.name))
            said = owner(kind, registered.name, versions)
            ours = said or registered.name
            marked = {str(v.version): v.tags.get(_DIGEST) for v in owned(kind, registered.name, versions, ours)}
            aliases = {alias: str(number) for alias, number in registered.aliases.items()}
            place = names_there(kind, ours).index(registered.name)
            found.append(((said is None, place), TheirName(registered.name, ours, marked, aliases)))
        yield from (their for _, their in sorted(found, key=lambda one: one[0]))

    def _registered(self, kind: str) -> Iterator[Any]:
        listed, token = _PROMPTS if kind == "prompt" else None, None
        while True:
            page = self._client.search_registered_models(listed, _PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def read(self, kind: str, there: str, number: str) -> Json:
        """The content of a version there."""
        return self._content(kind, self._version(kind, there, int(number)), f"mlflow:{there}@{number}")

    def mark(self, there: str, number: str, version: Version) -> None:
        """The version gets the tags by which it is found again."""
        tag = self._client.set_prompt_version_tag if version.kind == "prompt" else self._client.set_model_version_tag
        for key, text in _tags(version).items():
            tag(there, number, key, text)

    def point(self, kind: str, there: str, alias: str, number: str) -> None:
        """Move an alias."""
        if kind == "prompt":
            self._client.set_prompt_alias(there, alias, int(number))
        else:
            self._client.set_registered_model_alias(there, alias, number)

    def _home(self, version: Version) -> tuple[str, list[Any]]:
        """The name there of the version's name, and which of the versions there are its: where they say so, else
        what has the same name there, else a name that is nobody's."""
        kind, name = version.kind, version.name
        other = "model" if kind == "prompt" else "prompt"
        free, same = [], None
        for there in names_there(kind, name):
            if versions := oldest_first(self._versions(kind, there)):
                said = owner(kind, there, versions)
                if said == name:
                    return there, owned(kind, there, versions, name)
                if said is None and there == name:
                    same = there, versions
            elif there in spellings(kind, name) and not self._exists(other, there):
                free.append(there)
        if same is None and not free:
            raise RegistryError(f"{', '.join(spellings(kind, name))} are names of others in MLflow")
        return same or (free[0], [])

    def _exists(self, kind: str, name: str) -> bool:
        if kind == "prompt":
            return name in {found.name for found in self._client.search_prompts(f"name = '{name}'")}
        return bool(self._client.search_registered_models(f"name = '{name}'"))

    def _versions(self, kind: str, name: str) -> Iterator[Any]:
        """All versions there, in no order; none when the name is unknown."""
        return self._pages(kind, name) if self._exists(kind, name) else iter(())

    def _pages(self, kind: str, name: str) -> Iterator[Any]:
        token, more = None, True
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
        made = self._client.register_prompt(name, _messages(version.content), version.reference, tags=_tags(version))
        return Mirrored("prompt", name, int(made.version))

    def _register_model(self, version: Version, name: str) -> Mirrored:
        """An external model: its parameters and no weights."""
        params = _params(version)
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
        return str(found.version), self._content(kind, found, shown)

    def _content(self, kind: str, found: Any, shown: str) -> Json:
        if kind == "prompt":
            return _messages(found.template)
        if (model_id := _model_id(found.source)) is None:
            raise RegistryError(f"{shown} holds weights, no endpoint and its parameters ({found.source})")
        parameters = self._client.get_logged_model(model_id).params
        return {key: _read(text) for key, text in parameters.items()}

    def _version(self, kind: str, name: str, selector: str | int | None) -> Any:
        """One version there by number or alias, the newest without either; None when there is none."""
        if selector is None or selector == "latest":
            return max(self._versions(kind, name), key=lambda found: int(found.version), default=None)
        if kind == "prompt":  # not load_prompt: it caches, and links to whatever experiment is active
            return self._client.get_prompt_version(name, selector)
        if isinstance(selector, int):
            return self._client.get_model_version(name, str(selector))
        return self._client.get_model_version_by_alias(name, selector)


def _found(version: Version, name: str, versions: Sequence[Any]) -> Mirrored | None:
    """The version there with this content."""
    for theirs in versions:
        if theirs.tags.get(_DIGEST) == version.digest:
            if version.kind == "prompt":
                return Mirrored("prompt", name, int(theirs.version))
            return Mirrored("model", name, int(theirs.version), _model_id(theirs.source))
    return None


def _model_id(source: str | None) -> str | None:
    """`models:/m-…` is a logged model; anything else has no parameters."""
    found = re.fullmatch(r"models:/(m-[0-9a-f]+)", source or "")
    return found[1] if found else None


def _tags(version: Version) -> dict[str, str]:
    return {_DIGEST: version.digest, REFERENCE: version.reference}


def _params(version: Version) -> dict[str, str]:
    return {key: _written(value) for key, value in version.content.items()}


def _unkept(version: Version) -> str | None:
    """Why MLflow cannot keep a version, None where it can."""
    if redact_json(version.content) != version.content:
        return "it holds what looks like a secret, which is not sent to MLflow"
    params = {} if version.kind == "prompt" else _params(version)
    said = [
        f"{key} has {len(text):,} characters; MLflow takes 6,000"
        for key, text in params.items()
        if len(text) > _LONGEST_PARAM
    ]
    return said[0] if said else None


def takes_alias(alias: str) -> bool:
    """Whether an alias may have this name in MLflow."""
    reserved = alias == "latest" or re.fullmatch(r"[vV]\d+", alias)
    return not reserved and re.fullmatch(r"[\w-]+", alias) is not None


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
