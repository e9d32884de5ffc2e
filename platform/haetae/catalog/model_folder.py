"""A folder with a causal language model: what stands in it, checked and hashed without opening the weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from haetae.catalog.files import MAX_TEXT, locate, locate_folder, read_text
from haetae.core.canonical import Json, digest, loads
from haetae.errors import ConfigError

_READ = frozenset({".json", ".safetensors", ".model", ".txt", ".jinja"})
"""Kinds of file that a model is made from; a README beside them changes nothing."""
_PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl"})
_MAX_INDEX = 64_000_000
"""Largest list of weights, in bytes: those of the largest models have some ten million."""
_TEMPLATES = "additional_chat_templates"
"""The one subfolder that transformers reads by itself."""
_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """`digest` is of all files that fix the model, `tokenizer` of tokenizer.json, by which tokens are counted.

    `context` is how many tokens it can see at once; None where its config.json does not say.
    """

    path: Path
    digest: str
    tokenizer: str
    context: int | None


def open_model_folder(path: str | Path, *, folder: Path, root: Path) -> ModelFolder:
    """The model in a folder inside `root`; a relative path starts at `folder`.

    Raises ConfigError: no folder, no config.json or tokenizer.json, no weights in safetensors, weights named that
    are not beside it, a file that lies outside the project, or a model that brings code of its own.
    """
    place = locate_folder(path, folder=folder, root=root)
    names = sorted(entry.name for entry in os.scandir(place) if Path(entry.name).suffix in _READ)
    if lacking := [name for name in ("config.json", "tokenizer.json") if name not in names]:
        raise ConfigError(f"{path} has no {' and no '.join(lacking)}: expected a folder as transformers saves a model")
    if not any(name.endswith(".safetensors") for name in names):
        pickled = [entry.name for entry in os.scandir(place) if Path(entry.name).suffix in _PICKLED]
        why = f"; {pickled[0]} may run code when it is opened and is never read" if pickled else ""
        raise ConfigError(f"{path} has no weights in safetensors{why}")
    if "adapter_config.json" in names:
        raise ConfigError(f"{path} is an adapter that needs another model; merge the two and save the whole")
    config = _object(place / "config.json")
    for name in ("config.json", "tokenizer_config.json"):
        if name in names and "auto_map" in _object(place / name):
            raise ConfigError(f"{path} asks for code of its own (auto_map in {name}), which is never run")
    _check_weights(path, place, names, config)
    names += sorted(f"{_TEMPLATES}/{file.name}" for file in (place / _TEMPLATES).glob("*.jinja"))
    hashes = {name: _sha256(locate(name, folder=place, root=root)) for name in names}
    return ModelFolder(place, digest(hashes), hashes["tokenizer.json"], _context(config))


def _check_weights(path: str | Path, place: Path, names: Sequence[str], config: Mapping[str, Json]) -> None:
    """Raises ConfigError for weights that are named, and are no safetensors among the folder's own files."""
    parts = [name for name in names if name.endswith(".safetensors")]
    indexes = [name for name in names if name.endswith(".safetensors.index.json")]
    for part in _parts(config):
        if (weights := part.get("transformers_weights")) is not None:
            _check_named(path, "config.json", weights, [*parts, *indexes])
    for index in indexes:
        shards = _object(place / index, _MAX_INDEX).get("weight_map")
        if not isinstance(shards, dict):
            raise ConfigError(f"{path}: {index} has no weight_map, which says in which file each weight is")
        for weights in shards.values():
            _check_named(path, index, weights, parts)


def _check_named(path: str | Path, file: str, weights: Json, there: Sequence[str]) -> None:
    if weights not in there:
        shown = repr(weights)[:80]
        raise ConfigError(f"{path}: {file} names the weights {shown}; expected a .safetensors file beside it")


def _object(file: Path, most: int = MAX_TEXT) -> Mapping[str, Json]:
    try:
        value = loads(read_text(file, file.name, most))
    except ValueError as exc:
        raise ConfigError(f"{file.name} is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ConfigError(f"{file.name} is not a JSON object")
    return value


def _context(config: Mapping[str, Json]) -> int | None:
    """The context of a text model, also where it is one part of a larger one."""
    for part in _parts(config):
        for name in _CONTEXT:
            if type(part.get(name)) is int and part[name] > 1:
                return int(part[name])
    return None


def _parts(config: Mapping[str, Json]) -> tuple[Mapping[str, Json], ...]:
    inner = config.get("text_config")
    return (config, inner) if isinstance(inner, dict) else (config,)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
