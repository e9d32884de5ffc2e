"""A module of Hugging Face evaluate, loaded from a folder: its class, its features, the digest of its code."""

from __future__ import annotations

import hashlib
import importlib.util
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Literal, TypeAlias

from haetae.core.code_folder import CodeFolder
from haetae.core.secrets import redact
from haetae.engine.code_files import code_files
from haetae.engine.contained import contained
from haetae.errors import ConfigError
from haetae.metrics.huggingface.library import Value, evaluate

Shape: TypeAlias = Literal["text", "list"]
"""How a module takes a column: one text for each row, or a list of them."""

FILLED = ("predictions", "references", "sources", "data")
"""The columns that a sample and its answer fill; `data` is what measurements call the answer."""


def load_module(folder: CodeFolder, config: str | None) -> tuple[Any, str]:
    """An instance of the module's class, which keeps its rows in memory, and the SHA-256 of the folder's code.

    The code is run where it lies: evaluate's own loader would copy it into a cache, and fetch whatever a comment
    behind an import names. Raises ConfigError.
    """
    script = folder.path / f"{folder.path.name}.py"
    if not script.is_file():
        raise ConfigError(f"{folder.name} holds no {script.name}, which a module of evaluate is called")
    code = _digest(folder)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    name = f"{_PREFIX}{code[:24]}"
    try:
        with contained():
            if name not in sys.modules:
                _run(name, script)
            made = instance(_main_class(folder, name), config)
    except ConfigError:
        raise
    except Exception as exc:  # a module may raise anything
        raise ConfigError(f"{folder.name} cannot be loaded: {redact(f'{type(exc).__name__}: {exc}')}") from exc
    return made, code


def columns(module: Any, name: str) -> Mapping[str, Shape]:
    """The columns that the module takes and how. Raises ConfigError where no sample could fill them."""
    offered = module.features if isinstance(module.features, list) else [module.features]
    for features in offered:
        shapes = {column: _shape(feature) for column, feature in features.items()}
        if all(column in FILLED and shape for column, shape in shapes.items()) and shapes.keys() - {"references"}:
            return {column: shape for column, shape in shapes.items() if shape}
    wish = f"Haetae fills {', '.join(FILLED)} with texts"
    raise ConfigError(f"{name} takes {' or '.join(str(dict(features)) for features in offered)}; {wish}")


def _digest(folder: CodeFolder) -> str:
    """Of all files, by name and content. Raises ConfigError for one that leads elsewhere or that anybody may change."""
    found = hashlib.sha256()
    for file in code_files(folder.path):
        name = file.relative_to(folder.path).as_posix()
        for place in (file, file.parent):
            if place.stat().st_mode & stat.S_IWOTH:
                wish = f"take the right to write from others on {place}"
                raise ConfigError(f"{folder.name}: {name} is code that anybody may change: {wish}")
        content = file.read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


class _Source(SourceFileLoader):
    """Compiles what was hashed: beside a source, `__pycache__` may hold other code."""

    def get_code(self, fullname: str) -> CodeType:
        file = self.get_filename(fullname)
        return self.source_to_code(self.get_data(file), file)


class _Finder(MetaPathFinder):
    """Finds sources of a module's own folder, and nothing that is compiled already (`.so`, `.pyc`)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        for place in path or ():
            found = FileFinder(place, (_Source, [".py"])).find_spec(fullname)
            if found is not None:
                return found
        raise ModuleNotFoundError(f"no source of {fullname.partition('.')[2]} lies in the folder", name=fullname)


_PREFIX = "haetae_evaluate_"
_FINDER = _Finder()


def _run(name: str, script: Path) -> None:
    """Import the script as a package of its folder, so that it may import what lies beside it."""
    loader, places = _Source(name, str(script)), [str(script.parent)]
    spec = importlib.util.spec_from_file_location(name, script, loader=loader, submodule_search_locations=places)
    assert spec is not None  # noqa: S101  # it has a loader
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _main_class(folder: CodeFolder, name: str) -> type[Any]:
    """The one class that is an evaluation module and that no other here derives from."""
    there = [
        found
        for found in vars(sys.modules[name]).values()
        if isinstance(found, type) and issubclass(found, evaluate.EvaluationModule) and found.__module__ == name
    ]
    last = [found for found in there if not any(other is not found and issubclass(other, found) for other in there)]
    if len(last) != 1:
        listed = ", ".join(found.__name__ for found in last) or "none"
        raise ConfigError(f"{folder.name} must have one class that is an evaluate.Metric; found {listed}")
    return last[0]


def instance(module: type[Any], config: str | None) -> Any:
    """Made with a fixed seed; its folder under the cache is a passing one, because rows stay in memory."""
    with tempfile.TemporaryDirectory(prefix="haetae-evaluate-") as scratch:
        made = module(config_name=config, keep_in_memory=True, cache_dir=scratch, seed=0)
        made.download_and_prepare()
    return made


def _shape(feature: Any) -> Shape | None:
    if isinstance(feature, list) and len(feature) == 1:
        return "list" if _shape(feature[0]) == "text" else None
    if isinstance(feature, Value):
        return "text" if feature.dtype in ("string", "large_string") else None
    return "list" if _shape(getattr(feature, "feature", None)) == "text" else None
