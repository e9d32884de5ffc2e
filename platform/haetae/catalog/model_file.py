"""A model file becomes what is registered under a model's name: placeholders kept, secrets refused."""

from __future__ import annotations

from pathlib import Path

from haetae.catalog.files import shown
from haetae.catalog.interpolation import literal_secrets
from haetae.catalog.spec_file import validated
from haetae.catalog.yaml_file import read_yaml
from haetae.core.canonical import Json
from haetae.core.model_spec import ModelSpec


def load_model(path: Path) -> Json:
    """The content to register: a `ModelSpec` as JSON, its `${NAME}` still literal.

    Raises ConfigError with every mistake of the file; a secret that is written out is one.
    """
    path = Path(path)
    document = read_yaml(path, shown(path.resolve()))
    secrets = literal_secrets(document.value, document.places)
    earlier = [*document.problems, *secrets]
    spec = validated(ModelSpec, document.value, ModelSpec.model_json_schema(), document.places, earlier)
    return spec.as_json()
