"""The kinds of metric that a suite can name: registered entry points, loaded when one is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

from haetae.catalog.explain import nearest
from haetae.engine.contained import Left, contained
from haetae.errors import ConfigError, MissingExtra

GROUP = "haetae.metrics"
FUNCTION = "function"
"""The kind whose value names a function of the project: `module:function`."""
STALE = "the installed entry points are older than this checkout; run in it: pip install -e ."
_EXTRAS = {
    "ragas": "rag",
    "langchain_community": "rag",
    "evaluate": "evaluate",
    "torch": "hf",
    "transformers": "hf",
    "kiwipiepy": "korean",
    "ir_measures": "retrieval",
}


@cache
def known_metrics() -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of every kind of metric, unloaded."""
    kinds: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        kinds.setdefault(point.name, {})[point.value] = point
    return {name: tuple(points.values()) for name, points in sorted(kinds.items())}


@cache
def _own_metrics() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Those of this package alone: no other of hundreds that may be installed is read for them."""
    try:
        ours = distribution("haetae").entry_points.select(group=GROUP)
    except PackageNotFoundError:
        return {}
    return {point.name: (point,) for point in ours if point.value.startswith("haetae.")}


def load_kind(kind: str) -> Callable[..., Any]:
    """What makes metrics of a kind; a kind of this package is nobody else's to offer.

    Raises ConfigError for one that is unknown, offered twice or not to be loaded, MissingExtra for a library that
    is not installed.
    """
    own = _own_metrics()
    known = own if kind in own else known_metrics()
    if kind not in known:
        shown, kinds = kind if len(kind) <= 60 else kind[:60] + "…", [*known, FUNCTION]
        raise ConfigError(f"unknown metric {shown!r}{nearest(kind, kinds)}; there are {', '.join(kinds)}")
    if len(known[kind]) > 1:
        offers = " and ".join(point.value for point in known[kind])
        raise ConfigError(f"metric {kind!r} is offered twice: {offers}")
    try:
        with contained():
            return known[kind][0].load()  # type: ignore[no-any-return]  # what was registered
    except ImportError as exc:
        raise lacking(kind, exc) from exc
    except (AttributeError, Left) as exc:
        raise ConfigError(f"metric {kind!r} cannot be loaded: {exc}{_hint(known[kind][0].module)}") from exc


def lacking(kind: str, exc: ImportError) -> ConfigError:
    """What to say of a kind whose import failed."""
    missing = exc.name or ""
    package = missing.partition(".")[0]
    if package in _EXTRAS:
        return MissingExtra(package, _EXTRAS[package])
    return ConfigError(f"metric {kind!r} cannot be loaded: {exc}{_hint(missing)}")


def is_stale(checkout: Path) -> bool:
    """Whether a checkout registers other metrics than those that were installed from it; False where it is none."""
    import tomllib  # only a doctor asks

    described = checkout / "pyproject.toml"
    if not described.is_file():
        return False
    project = tomllib.loads(described.read_text("utf-8")).get("project", {})
    if project.get("name") != "haetae":
        return False
    registered = set(project.get("entry-points", {}).get(GROUP, {}).items())
    installed = {(point.name, point.value) for points in known_metrics().values() for point in points}
    ours = {(name, value) for name, value in installed if value.startswith("haetae.")}
    return registered != ours


def _hint(module: str) -> str:
    """What to do where a module of this package is not where it was when it was installed."""
    return f"; {STALE}" if module.partition(".")[0] == "haetae" else ""
