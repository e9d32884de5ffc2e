"""A data file becomes a dataset: checked whole before any call, then streamed from disk as often as asked.

The checking pass gives the version, the SHA-256 of every sample's content digest in file order, so it
does not change with formatting, key order, compression or file format. What stays in memory is a digest
of each id while the pass runs, of 8 bytes where no row is at fault, and the places of duplicates and rejected
rows. A large file of JSON lines is checked in parts, by several processes at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.data_file import files_of, find_data, problems, reader_of, stem
from haetae.catalog.files import shown
from haetae.catalog.jsonl import read_jsonl
from haetae.catalog.pictures import Pictures, has_pictures
from haetae.catalog.rows import BadRow, sample_json
from haetae.catalog.unpacking import is_packed
from haetae.core.canonical import Json, digest, encoded
from haetae.core.sample import Image, Sample, sample_from_canonical
from haetae.errors import DatasetError, NoSamplesError, Problem

if TYPE_CHECKING:
    from haetae.catalog.compactly import CleanFile

LARGE = 64 * 1024**2
"""From how many bytes on a file of JSON lines is checked in parts: several processes pay off."""
COMPACT = 4 * 1024**2
"""From how many bytes on a file is checked by what keeps little of it."""
MAX_PROBLEMS = 100
"""How many problems of one file are collected before the pass stops."""


class DatasetFile:
    """Samples on disk. Iterating reads the file again; it holds one sample at a time.

    `count` is how many samples iteration gives (`limit` at most), `version` is of the whole file
    whatever the limit. `rejects` are the rows left out by `skip_bad`. `longest` are the bytes of the longest
    row, where they are known. `pictures` says that rows may name files beside this one.
    """

    def __init__(
        self, path: Path, file: str, require: Mapping[str, str], skip_bad: bool, *, pictures: bool = True
    ) -> None:
        self.path = path
        self.name = stem(path)
        self.version = ""
        self.count = 0
        self.longest: int | None = None
        self.rejects: list[Problem] = []
        self._found = 0
        self._file = file
        self._require = require
        self._skip_bad = skip_bad
        self._stamp = _stamp(path)
        self._pictures = Pictures(path.parent if pictures and reader_of(path) is read_jsonl else None)
        self._rejected: set[int] = set()
        self._renamed: dict[int, str] = {}

    @property
    def pictures(self) -> tuple[Image, ...]:
        """The pictures of the whole file, each once, as far as it has been read."""
        return self._pictures.known

    def check(self, limit: int | None) -> None:
        """Read the whole file. Raises DatasetError with every problem (100 at most)."""
        clean = self._clean()
        of_file = (clean.count, clean.version, clean.longest) if clean else self._row_by_row()
        self._found, version, self.longest = of_file
        self._must_be_unchanged()
        if self.rejects and not self._skip_bad:
            raise DatasetError(self.rejects)
        if self._found == 0 or limit == 0:
            reason = "the limit is 0" if self._found else "no row is a sample" if self.rejects else "there are no rows"
            raise NoSamplesError([*self.rejects[:MAX_PROBLEMS], Problem(f"0 samples: {reason}", self._file)])
        self.version = f"sha256:{version}"
        self.count = self._found if limit is None else min(self._found, limit)

    def _clean(self) -> CleanFile | None:
        """What is to be said of a file without a fault that is worth a closer look; None for every other file."""
        size = sum(stamp[1] for stamp in self._stamp or ())
        reader = reader_of(self.path)
        if size >= LARGE and reader is read_jsonl and not is_packed(self.path):
            from haetae.catalog.parts import check_in_parts

            return check_in_parts(self.path, self._require)
        if size < COMPACT:
            return None
        from haetae.catalog.compactly import check_compactly

        return check_compactly(reader(self.path, self._file), self._require)

    def _row_by_row(self) -> tuple[int, str, int | None]:
        """(how many samples, their version, the bytes of the longest where none has pictures).

        What is wrong is in `rejects`.
        """
        seen: set[bytes] = set()
        repeats: dict[str, int] = {}
        duplicates: list[tuple[int, str]] = []
        version, found, longest = hashlib.sha256(), 0, 0
        for line, row in reader_of(self.path)(self.path, self._file):
            try:
                sample = self._checked(row)
                name = sample.get("id")
                if name is None:
                    name = digest(sample)[:16]
                    if _key(name) in seen:
                        repeats[name] = repeats.get(name, 1) + 1
                        name = self._renamed[line] = f"{name}#{repeats[name]}"
                    sample["id"] = name
                key = _key(name)
                if key in seen:
                    duplicates.append((line, name))
                    self._rejected.add(line)
                    if len(duplicates) >= MAX_PROBLEMS and not self._skip_bad:
                        break
                    continue
                text = encoded((sample,))
            except BadRow as bad:
                self._reject(problems(self._file, line, bad), line)
                continue
            seen.add(key)
            version.update(hashlib.sha256(text).hexdigest().encode())
            found, longest = found + 1, max(longest, len(text))
        if duplicates:
            self._name_duplicates(duplicates)
        return found, version.hexdigest(), None if self.pictures else longest

    def __iter__(self) -> Iterator[Sample]:
        """The samples in file order. Raises DatasetError when the file changed since it was checked."""
        return self._samples(self.count)

    def whole(self) -> Iterator[Sample]:
        """All samples of the file, whatever the limit."""
        return self._samples(self._found)

    def _samples(self, left: int) -> Iterator[Sample]:
        self._must_be_unchanged()
        if not left:
            return
        folder = self.path.parent
        for line, row in reader_of(self.path)(self.path, self._file):
            if line in self._rejected:
                continue
            try:
                sample = self._checked(row)
            except BadRow as bad:
                self._must_be_unchanged()
                raise DatasetError(problems(self._file, line, bad)) from bad
            if "id" not in sample:
                sample["id"] = self._renamed.get(line) or digest(sample)[:16]
            yield sample_from_canonical(sample, folder)
            left -= 1
            if not left:
                break
        self._must_be_unchanged()

    def _checked(self, row: Json | BadRow) -> dict[str, Json]:
        if isinstance(row, BadRow):
            raise row
        sample = sample_json(row, self._require)
        if type(sample["input"]) is list and has_pictures(sample["input"]):
            self._pictures.attach(sample["input"])
        return sample

    def _reject(self, found: list[Problem], line: int) -> None:
        self.rejects += found
        self._rejected.add(line)
        if not self._skip_bad and len(self.rejects) >= MAX_PROBLEMS:
            more = Problem(f"stopped after {MAX_PROBLEMS} problems", self._file, line)
            raise DatasetError([*self.rejects, more])

    def _name_duplicates(self, duplicates: list[tuple[int, str]]) -> None:
        """Find the first lines of ids that came twice: only now, as most files have none."""
        wanted, first = {name for _, name in duplicates}, dict[str, int]()
        for line, row in reader_of(self.path)(self.path, self._file):
            name = row.get("id") if isinstance(row, dict) else None
            name = str(name) if type(name) is int else name
            if isinstance(name, str) and name in wanted and line not in self._rejected:
                first.setdefault(name, line)
        for line, name in duplicates:
            where = f"on lines {first[name]} and {line}" if name in first else "here and as one made from content"
            self.rejects.append(Problem(f"the id {name!r} stands twice, {where}", self._file, line, None, "id"))
        self.rejects.sort(key=lambda problem: problem.line or 0)

    def _must_be_unchanged(self) -> None:
        if _stamp(self.path) != self._stamp:
            raise DatasetError(Problem("the file changed or vanished while it was in use", self._file))


def open_dataset(
    path: Path,
    *,
    root: Path,
    limit: int | None = None,
    skip_bad: bool = False,
    require: Mapping[str, str] | None = None,
) -> DatasetFile:
    """Check a data file whole and return it ready to stream.

    `root` is the project that the file must lie in. `limit` gives only the first samples. `skip_bad`
    leaves bad rows out and lists them in `rejects`. `require` names what every sample must have
    (`references`, `contexts`), and who needs it. Raises DatasetError with every problem, MissingExtra for Parquet
    without pyarrow.
    """
    real = find_data(Path(path), root)
    dataset = DatasetFile(real, shown(real, root), require or {}, skip_bad)
    dataset.check(limit)
    return dataset


def _key(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _stamp(path: Path) -> list[tuple[int, int, int]] | None:
    """What of its files changes when they are changed; None where one is gone."""
    try:
        stats = [os.stat(file) for file in files_of(path)]
    except (OSError, DatasetError):
        return None
    return [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats]
