"""Turns with pictures: files in the dataset's folder, known by their content. Nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.catalog import dataset_file, parts, pictures
from haetae.catalog.dataset_file import open_dataset
from haetae.catalog.pictures import path_fault
from haetae.catalog.recorded import open_outputs
from haetae.core.sample import Image, Message, sample_from_json
from haetae.engine.pictures import UnreadablePicture, read_picture
from haetae.errors import DatasetError

Write = Callable[[str, str | bytes], Path]
Rows = Callable[..., Path]
Png = Callable[..., bytes]

JPEG = base64.b64decode(  # a real one of one pixel
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////"
    "////2wBDAf//////////////////////////////////////////////////////////////////////////////////////wAARCAABAAEDASIAAhEB"
    "AxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAQL/xAAUEQEAAAAAAAAAAAAA"
    "AAAAAAAA/9oADAMBAAIRAxEAPwCABb//2Q=="
)
GIF = base64.b64decode("R0lGODdhAQABAIEAAMgeHgAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==")
WEBP = base64.b64decode("UklGRjoAAABXRUJQVlA4IC4AAACwAQCdASoBAAEAAUAmJaACdLoABDAAAP7x3I/4DdfFtMv/vYL/3YL/3YL/WwAA")


def turn(*images: Any, role: str = "user", text: str = "무엇이 보이나요?") -> dict[str, Any]:
    return {"role": role, "content": text, "images": list(images)}


def asking(*images: Any, **rest: Any) -> dict[str, Any]:
    return {"id": "a", "input": [turn(*images)], **rest}


def refusal(path: Path, root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        open_dataset(path, root=root)
    return str(caught.value)


def test_a_turn_shows_the_pictures_it_names(write: Write, write_rows: Rows, project: Path, png: Png) -> None:
    write("data/pics/고양이.png", png())
    write("data/dog.JPG", JPEG)
    path = write_rows([asking("pics/고양이.png", "dog.JPG")], "data/rows.jsonl")
    dataset = open_dataset(path, root=project)
    (sample,) = dataset
    cat = Image("pics/고양이.png", hashlib.sha256(png()).hexdigest(), "image/png")
    dog = Image("dog.JPG", hashlib.sha256(JPEG).hexdigest(), "image/jpeg")
    assert sample.input == (Message("user", "무엇이 보이나요?", (cat, dog)),)
    assert {image.folder for image in sample.images} == {project / "data"}
    assert sample_from_json(sample.as_json(), project / "data") == sample
    assert dataset.pictures == (cat, dog)


@pytest.mark.parametrize(("name", "content"), [("a.gif", GIF), ("a.webp", WEBP), ("a.jpeg", JPEG), ("a.jpg", JPEG)])
def test_the_kinds_that_models_see_are_taken(
    write: Write, write_rows: Rows, project: Path, name: str, content: bytes
) -> None:
    write(name, content)
    (sample,) = open_dataset(write_rows([asking(name)]), root=project)
    assert sample.images[0].media_type.startswith("image/")


def test_another_picture_under_the_same_name_is_another_dataset(
    write: Write, write_rows: Rows, project: Path, png: Png
) -> None:
    path = write_rows([asking("a.png")])
    write("a.png", png(1))
    before = open_dataset(path, root=project)
    first = next(iter(before)).digest
    write("a.png", png(2))
    after = open_dataset(path, root=project)
    assert before.version != after.version
    assert next(iter(after)).digest != first


def test_no_pictures_and_none_named_are_the_same(write_rows: Rows, project: Path) -> None:
    plain = {"id": "a", "input": [{"role": "user", "content": "q"}]}
    rows = [plain, {"id": "a", "input": [turn(text="q")]}, {"id": "a", "input": [plain["input"][0] | {"images": None}]}]
    versions = {open_dataset(write_rows([row], f"{n}.jsonl"), root=project).version for n, row in enumerate(rows)}
    assert len(versions) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data.png",
        "https://example.com/cat.png",
        "file:///etc/passwd",
        "FILE:pics/cat.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://host/cat.png",
        "C:/cat.png",
    ],
)
def test_an_address_is_refused_and_never_fetched(
    write_rows: Rows, project: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-26
    def forbidden(*arguments: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", forbidden)
    said = refusal(write_rows([asking(address)]), project)
    assert said.startswith("data.jsonl:1: input.0.images.0: ")
    assert "and nothing is fetched: put the file into the dataset's folder" in said


@pytest.mark.parametrize(
    "path",
    [
        "../outside.png",
        "pics/../../outside.png",
        "/etc/hostname",
        "//server/share/cat.png",
        "\\\\server\\share\\cat.png",
        "pics\\cat.png",
        "cat.png\x00.jpg",
        "",
        ".",
        "./cat.png",
        "pics//cat.png",
        "pics/",
        "cat\n.png",
        "\u202egnp.tac",
    ],
)
def test_a_way_out_of_the_folder_is_refused(
    write: Write, write_rows: Rows, project: Path, png: Png, path: str
) -> None:  # SEC-05
    (project.parent / "outside.png").write_bytes(png())
    write("data/cat.png", png())
    write("data/pics/cat.png", png())
    assert "input.0.images.0: " in refusal(write_rows([asking(path)], "data/rows.jsonl"), project)


@given(st.text(alphabet="./\\:~%ab\x00 ", max_size=12))
def test_a_path_that_is_taken_stays_in_the_folder_whatever_it_is(path: str) -> None:  # SEC-05
    if path_fault(path) is None:
        folder = Path("/data/set")
        assert Path(os.path.normpath(folder / path)).is_relative_to(folder)
        assert "\\" not in path


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_followed(
    write: Write, write_rows: Rows, project: Path, png: Png
) -> None:  # SEC-05
    (project.parent / "secret.png").write_bytes(png())
    write("data/real.png", png())
    (project / "data/within.png").symlink_to("real.png")
    assert open_dataset(write_rows([asking("within.png")], "data/a.jsonl"), root=project).count == 1
    (project / "data/out.png").symlink_to(project.parent / "secret.png")
    said = refusal(write_rows([asking("out.png")], "data/b.jsonl"), project)
    assert "outside the dataset's folder" in said
    (project / "data/folder").symlink_to(project.parent)
    assert "outside" in refusal(write_rows([asking("folder/secret.png")], "data/c.jsonl"), project)


@pytest.mark.parametrize("swapped", ["data/pics/a.png", "data/pics"])
def test_a_link_that_is_put_there_between_the_check_and_the_opening_is_not_followed(
    swapped: str, write: Write, project: Path, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("data/pics/a.png", png())
    (project.parent / "outside").mkdir()
    (project.parent / "outside/a.png").write_bytes(png(9))
    assert read_picture(project / "data", "pics/a.png") == png()
    resolved, opened = False, os.open

    def swap(path: Any, flags: int, **rest: Any) -> int:
        nonlocal resolved
        if not resolved:  # the first that is opened is the folder, after every check of the path
            resolved = True
            (project / swapped).rename(project / "kept")
            (project / swapped).symlink_to(project.parent / "outside" / Path(swapped).relative_to("data/pics"))
        return opened(path, flags, **rest)

    monkeypatch.setattr("haetae.engine.pictures.os.open", swap)
    with pytest.raises(UnreadablePicture, match="cannot be read"):
        read_picture(project / "data", "pics/a.png")
    assert (project / "data/pics/a.png").read_bytes() == png(9)  # the link is there


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.png", JPEG, "holds image/jpeg, and is called a.png"),
        ("a.txt", GIF, "holds image/gif, and is called a.txt"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no PNG, JPEG, GIF or WebP"),
        ("a.png", b"", "is no PNG, JPEG, GIF or WebP"),
        ("a.png", b"\x7fELF", "is no PNG, JPEG, GIF or WebP"),
    ],
)
def test_a_picture_is_what_its_name_says(
    write: Write, write_rows: Rows, project: Path, name: str, content: bytes, says: str
) -> None:
    write(name, content)
    assert says in refusal(write_rows([asking(name)]), project)


def test_what_is_no_file_is_refused(write_rows: Rows, project: Path) -> None:
    (project / "folder.png").mkdir()
    os.mkfifo(project / "pipe.png")
    said = refusal(write_rows([asking("folder.png", "pipe.png", "none.png", "a" * 300 + ".png")]), project)
    assert said.count("is not a regular file") == 2
    assert "'none.png' does not exist (looked for " in said
    assert "cannot be read: [Errno 36] File name too long" in said
    assert said.count("input.0.images.") == 4


def test_a_picture_and_all_of_a_sample_have_a_limit(write: Write, write_rows: Rows, project: Path, png: Png) -> None:
    write("big.png", png(padding=5 * 1024**2))
    write("half.png", png(padding=4 * 1024**2))
    assert "is over the limit of 5 MB" in refusal(write_rows([asking("big.png")]), project)
    assert "together over 20 MB" in refusal(write_rows([asking(*["half.png"] * 5)]), project)
    said = refusal(write_rows([asking(*["half.png"] * 17)]), project)
    assert "at most 16 pictures" in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (turn("a.png", role="assistant"), "pictures are shown in user turns, not by the assistant"),
        (turn({"path": "a.png"}), "input.0.images.0: expected text, got a mapping"),
        (turn({"lc": 1, "type": "secret", "id": ["KEY"]}), "input.0.images.0: expected text, got a mapping"),  # SEC-25
        ({**turn(), "images": "a.png"}, "input.0.images: expected a list of texts"),
        ({**turn("a.png"), "content": [{"type": "image_url"}]}, "input.0.content: expected text, got a list"),
    ],
)
def test_pictures_are_a_list_of_paths_in_a_user_turn(write_rows: Rows, project: Path, given: Any, says: str) -> None:
    assert says in refusal(write_rows([{"input": [given]}]), project)


def test_all_faults_of_a_row_are_named_and_the_row_may_be_left_out(
    write: Write, write_rows: Rows, project: Path, png: Png
) -> None:
    write("a.png", png())
    path = write_rows([asking("a.png", "none.png", "http://x/y.png"), {"id": "b", "input": [turn("a.png")]}])
    said = refusal(path, project)
    assert "input.0.images.1" in said
    assert "input.0.images.2" in said
    dataset = open_dataset(path, root=project, skip_bad=True)
    assert [sample.id for sample in dataset] == ["b"]


def test_a_picture_that_changes_while_the_dataset_is_in_use_is_not_taken(
    write: Write, write_rows: Rows, project: Path, png: Png
) -> None:
    write("a.png", png(1))
    dataset = open_dataset(write_rows([asking("a.png")]), root=project)
    write("a.png", png(2, padding=1))
    with pytest.raises(DatasetError, match="changed while the dataset was in use"):
        list(dataset)


def test_one_picture_in_many_rows_is_read_once(
    write: Write, write_rows: Rows, project: Path, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = pictures.read_picture
    monkeypatch.setattr(pictures, "read_picture", lambda folder, path: (read.append(path), real(folder, path))[1])
    write("a.png", png())
    dataset = open_dataset(write_rows([{**asking("a.png"), "id": n} for n in range(50)]), root=project)
    assert len(list(dataset)) == 50
    assert read == ["a.png"]


def test_a_large_file_with_pictures_is_read_row_by_row(
    write: Write, write_rows: Rows, project: Path, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.png", png())
    rows = [{"id": n, "input": "q"} for n in range(8)]
    path = write_rows([*rows, asking("a.png")])
    small = open_dataset(path, root=project)
    monkeypatch.setattr(dataset_file, "LARGE", 0)
    assert parts.check_in_parts(path, ()) is None
    large = open_dataset(path, root=project)
    assert (large.version, large.count, large.pictures) == (small.version, small.count, small.pictures)


def test_only_json_lines_have_pictures(write: Write, project: Path, png: Png) -> None:
    write("a.png", png())
    pq.write_table(pa.Table.from_pylist([asking("a.png")]), project / "data.parquet")
    said = refusal(project / "data.parquet", project)
    assert "only .jsonl and .ndjson datasets have pictures" in said
    assert "unknown column 'images'" in refusal(write("data.csv", "input,images\nq,a.png\n"), project)


def test_a_transcript_names_no_pictures(write_rows: Rows, project: Path) -> None:
    path = write_rows([{"id": "a", "output": "o", "transcript": [turn("a.png")]}])
    with pytest.raises(DatasetError, match="leave them out"):
        list(open_outputs(path, project))
