"""A model file becomes what is registered under a model's name: placeholders kept, secrets refused."""

from __future__ import annotations

from pathlib import Path

from haetae.catalog.files import project_root, shown
from haetae.catalog.interpolation import literal_secrets
from haetae.catalog.model_folder import open_model_folder
from haetae.catalog.spec_file import validated
from haetae.catalog.yaml_file import Document, read_yaml
from haetae.core.canonical import Json
from haetae.core.local_spec import LocalSpec
from haetae.core.model_spec import ModelSpec
from haetae.errors import ConfigError


def load_model(path: Path) -> Json:
    """The content to register: a `ModelSpec` as JSON, its `${NAME}` still literal; with `path` a `LocalSpec`.

    Raises ConfigError with every mistake of the file; a secret that is written out is one.
    """
    path = Path(path)
    document = read_yaml(path, shown(path.resolve()))
    earlier = [*document.problems, *literal_secrets(document.value, document.places)]
    if isinstance(document.value, dict) and "path" in document.value:
        if "base_url" in document.value:
            both = "a model is behind an endpoint (base_url) or in a folder (path), not both"
            raise ConfigError([*earlier, document.places.problem("path", both)])
        local = validated(LocalSpec, document.value, document.places, earlier)
        return _pinned(local, path, document)
    spec = validated(ModelSpec, document.value, document.places, earlier)
    return spec.as_json()


def _pinned(spec: LocalSpec, file: Path, document: Document) -> Json:
    """The specification with its folder named from the project, and the digest of what stands in it."""
    here = file.resolve().parent
    root = project_root(here)
    try:
        found = open_model_folder(spec.path, folder=here, root=root)
        if spec.digest not in (None, found.digest):
            raise ConfigError(f"{spec.path} has the digest {found.digest}, not the one written here")
    except ConfigError as exc:
        raise ConfigError([document.places.problem("path", problem.message) for problem in exc.problems]) from exc
    place = found.path.relative_to(root).as_posix()
    return spec.model_copy(update={"path": place, "digest": found.digest}).as_json()
