"""A folder with a model is checked and hashed before anything of it is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.model_file import load_model
from haetae.catalog.model_folder import open_model_folder
from haetae.core.local_spec import LocalSpec
from haetae.errors import ConfigError

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def folder(write: Write) -> Path:
    """What a model's folder has; the weights are never opened here."""
    write("models/lm/config.json", json.dumps({"model_type": "gpt2", "n_positions": 64}))
    write("models/lm/tokenizer.json", "{}")
    return write("models/lm/model.safetensors", b"weights").parent


def _refusal(project: Path, path: str = "models/lm") -> str:
    with pytest.raises(ConfigError) as caught:
        open_model_folder(path, folder=project, root=project)
    return str(caught.value)


def test_the_digest_is_of_every_file_that_makes_the_model(folder: Path, project: Path, write: Write) -> None:
    def digest() -> str:
        return open_model_folder("models/lm", folder=project, root=project).digest

    first = digest()
    write("models/lm/README.md", "how it was trained")
    assert digest() == first
    seen = {first}
    for name, content in [
        ("model.safetensors", b"weightz"),
        ("tokenizer.json", "{ }"),
        ("chat_template.jinja", "{{ x }}"),
        ("additional_chat_templates/default.jinja", "{{ y }}"),
        ("additional_chat_templates/default.jinja", "{{ z }}"),
    ]:
        write(f"models/lm/{name}", content)
        assert digest() not in seen
        seen.add(digest())


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 2048, "n_ctx": 5}, 2048),
        ({"text_config": {"max_position_embeddings": 512}}, 512),
        ({"model_type": "rwkv"}, None),
        ({"n_positions": -1}, None),
    ],
)
def test_the_context_is_what_config_json_says(
    config: Any, context: int | None, folder: Path, project: Path, write: Write
) -> None:
    write("models/lm/config.json", json.dumps(config))
    assert open_model_folder("models/lm", folder=project, root=project).context == context


def test_folders_that_are_no_model_are_refused_with_the_reason(folder: Path, project: Path, write: Write) -> None:
    assert "does not exist" in _refusal(project, "gpt2")  # a hub name is the name of a folder that is not there
    assert "is not a folder" in _refusal(project, "models/lm/config.json")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "no weights in safetensors; pytorch_model.bin may run code" in _refusal(project)
    write("models/lm/model.safetensors", b"w")
    write("models/lm/adapter_config.json", "{}")
    assert "is an adapter" in _refusal(project)
    (folder / "adapter_config.json").unlink()
    write("models/lm/tokenizer_config.json", json.dumps({"auto_map": {"AutoTokenizer": "x.Y"}}))
    assert "code of its own (auto_map in tokenizer_config.json)" in _refusal(project)
    (folder / "tokenizer_config.json").write_text("{")
    assert "tokenizer_config.json is not JSON" in _refusal(project)
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer.json").unlink()
    (folder / "config.json").unlink()
    assert "has no config.json and no tokenizer.json" in _refusal(project)


def test_a_model_outside_the_project_is_refused_also_through_a_link(folder: Path, project: Path) -> None:
    (project.parent / "stolen.safetensors").write_bytes(b"w")
    (folder / "more.safetensors").symlink_to(project.parent / "stolen.safetensors")
    assert "outside the project" in _refusal(project)
    (project / "up").symlink_to(project.parent)
    assert "outside the project" in _refusal(project, "up")


@pytest.mark.parametrize(
    "weight",
    [
        "../../../outside.safetensors",
        "inner/part.safetensors",
        "pytorch_model-00001-of-00001.bin",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json/../model.safetensors",
        "config.json",
        7,
        ["model.safetensors"],
    ],
)
@pytest.mark.parametrize("where", ["index", "config", "text_config"])
def test_weights_are_safetensors_of_the_folder_itself(
    weight: Any, where: str, folder: Path, project: Path, write: Write
) -> None:
    write("outside.safetensors", b"w")
    write("models/lm/inner/part.safetensors", b"w")
    write("models/lm/pytorch_model-00001-of-00001.bin", b"pickled")
    named = {"transformers_weights": weight}
    if where == "index":
        index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": weight}}
        write("models/lm/model.safetensors.index.json", json.dumps(index))
    else:
        write("models/lm/config.json", json.dumps(named if where == "config" else {where: named}))
    refusal = _refusal(project)
    assert f"names the weights {weight!r}; expected a .safetensors file beside it" in refusal


def test_a_model_in_parts_names_them_in_its_index(folder: Path, project: Path, write: Write) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": {f"layer.{n}": "model-00001-of-00001.safetensors" for n in range(40_000)}}
    write("models/lm/model.safetensors.index.json", json.dumps(index))
    write("models/lm/config.json", json.dumps({"transformers_weights": "model.safetensors.index.json"}))
    assert open_model_folder("models/lm", folder=project, root=project).digest
    write("models/lm/model.safetensors.index.json", "{}")
    assert "model.safetensors.index.json has no weight_map" in _refusal(project)


def test_a_chat_template_outside_the_project_is_refused(folder: Path, project: Path) -> None:
    (project.parent / "stolen.jinja").write_text("{{ x }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "default.jinja").symlink_to(project.parent / "stolen.jinja")
    assert "outside the project" in _refusal(project)


def test_a_model_file_names_its_folder_from_the_project_and_pins_it(folder: Path, project: Path, write: Write) -> None:
    content = load_model(write("models/lm.yaml", "path: lm\nstride: 16\nparameters: { max_tokens: 8 }\n"))
    digest = open_model_folder("models/lm", folder=project, root=project).digest
    assert content == {"path": "models/lm", "digest": digest, "stride": 16, "parameters": {"max_tokens": 8}}
    spec = LocalSpec.model_validate(content)
    assert (spec.precision, spec.bos, spec.device) == ("float32", True, "cpu")
    assert LocalSpec(path="x", device="cuda:1").precision == "bfloat16"
    assert LocalSpec(path="x", device="cuda", dtype="float16").precision == "float16"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path: none\n", "m.yaml:1:7: path: none does not exist"),
        ("path: models/lm\nbase_url: http://h/v1\n", "m.yaml:1:7: path: a model is behind an endpoint"),
        ("path: models/lm\nwindow: 8\nstride: 8\n", "stride: 8 is not below window (8)"),
        ("path: models/lm\ndtype: int8\n", "m.yaml:2:8: dtype: expected 'float32', 'bfloat16' or 'float16'"),
        ("path: models/lm\ndevice: gpu\n", "m.yaml:2:9: device"),
        ("path: models/lm\nmodell: x\n", "m.yaml:2:1: modell: unknown key"),
        ("path: models/lm\nparameters: { stop: [x] }\n", "parameters.stop: unknown key"),
        ("path: models/lm\ndigest: '" + "0" * 64 + "'\n", "not the one written here"),
    ],
)
def test_mistakes_of_a_local_models_file_are_said_at_their_place(
    text: str, said: str, folder: Path, write: Write
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_model(write("m.yaml", text))
    assert said in str(caught.value)
