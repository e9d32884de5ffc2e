"""What to say of a name that nothing is registered under: what was meant, and how it is registered."""

from __future__ import annotations

from haetae.catalog.explain import nearest
from haetae.catalog.prompt_file import TEXT_SUFFIXES, YAML_SUFFIXES
from haetae.core.reference import Kind, Reference
from haetae.core.registry import Registry
from haetae.errors import ConfigError, RegistryError
from haetae.workbench.shipped import shipped_rubrics


def check_reference(kind: Kind, text: str) -> None:
    """Raises ConfigError for a path or a name of a hub, where the name of something registered is expected."""
    if "/" not in text:
        return
    last = text.rpartition("/")[2]
    if kind == "model":
        wish = (
            "a name of a hub is not taken, because nothing is downloaded: register a file with the base_url of an "
            "endpoint, or with the path of a model's folder in this project"
        )
    elif last in shipped_rubrics():
        wish = f"write {last}"
    else:
        wish = f"a prompt in a file ends with one of {', '.join(sorted(TEXT_SUFFIXES | YAML_SUFFIXES))}"
    raise ConfigError(f"{text!r} is not a name; {wish}")


def unregistered(kind: Kind, text: str, registry: Registry, error: RegistryError) -> RegistryError:
    """The registry's error with the nearest name, or with the command that registers one.

    A name that has versions, but not this one, is told as it is.
    """
    reference = Reference.parse(text)
    if registry.versions(kind, reference.name):
        return error
    rubrics = shipped_rubrics() if kind == "prompt" else {}
    ships = f"; {len(rubrics)} rubrics ship, such as helpfulness.ko" if rubrics else ""
    if near := nearest(reference.name, [*(version.name for version in registry.versions(kind)), *rubrics]):
        return RegistryError(f"{error}{ships}{near}")
    alias = reference.selector if isinstance(reference.selector, str) and ":" not in reference.selector else None
    file = f"{reference.name}.{'yaml' if kind == 'model' else 'md'}"
    command = f"haetae register {kind} {file} --name {reference.name}{f' --alias {alias}' if alias else ''}"
    return RegistryError(f"{error}{ships}; register one: {command}")
