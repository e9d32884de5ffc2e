"""Members of an Inspect `.eval` archive, read in memory within limits; nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO

from haetae.catalog.lines import MAX_RATIO
from haetae.catalog.scores.importers.document import MAX_DOCUMENT
from haetae.errors import DatasetError, MissingExtra, Problem

_RATIO_FROM = 64 * 1024**2
_ZSTD = 93
"""The compression method of Zstandard in a ZIP archive; Inspect writes it, older releases wrote deflate."""
_LOCAL_HEADER = struct.Struct("<26x2H")
"""The fixed part of a member's own header: 26 bytes, then the lengths of its name and of the extra field."""
_ENCRYPTED = 1


def is_archive(path: Path) -> bool:
    """Whether a file starts as a ZIP archive does; False where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def read_members(path: Path, wanted: Collection[str], file: str) -> dict[str, bytes]:
    """The wanted members that are there, by name. `file` is the archive's name in messages.

    Raises DatasetError: not a whole ZIP archive, a member that leads outside the archive, one that is
    encrypted, damaged, over 512 MB, or grows over 200 times; MissingExtra where the zstandard package
    is needed and not installed.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in name.replace("\\", "/").split("/"):
                    raise DatasetError(Problem(f"the member {name!r} leads outside the archive", file))
            held = {name: archive.getinfo(name) for name in wanted if name in archive.NameToInfo}
            return {name: _read(archive, stream, info, f"{file}: {name}") for name, info in held.items()}
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError) as exc:
        raise DatasetError(Problem(f"not a whole ZIP archive: {exc}", file)) from exc


def _read(archive: zipfile.ZipFile, stream: IO[bytes], info: zipfile.ZipInfo, file: str) -> bytes:
    if info.file_size > MAX_DOCUMENT:
        raise DatasetError(Problem(f"unpacks to over the limit of {MAX_DOCUMENT // 1024**2} MB", file))
    if info.file_size > max(_RATIO_FROM, info.compress_size * MAX_RATIO):
        raise DatasetError(Problem(f"grows over the limit of {MAX_RATIO} times its size", file))
    if info.flag_bits & _ENCRYPTED:
        raise DatasetError(Problem("is encrypted", file))
    if info.compress_type != _ZSTD:
        with archive.open(info) as member:
            return member.read()  # zipfile reads no more than the size that was looked at, and checks the sum
    unpacked = _read_zstd(stream, info, file)
    if len(unpacked) != info.file_size or zlib.crc32(unpacked) != info.CRC:
        raise DatasetError(Problem("is damaged: its size or its checksum is not what the archive says", file))
    return unpacked


def _read_zstd(stream: IO[bytes], info: zipfile.ZipInfo, file: str) -> bytes:
    """A member of Zstandard frames, one byte past its size at most: zipfile knows the method from Python 3.14 on."""
    try:
        import zstandard
    except ImportError as exc:
        raise MissingExtra("zstandard", "inspect") from exc
    stream.seek(info.header_offset)
    name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    stream.seek(name + extra, io.SEEK_CUR)
    packed = stream.read(info.compress_size)
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
            return reader.read(info.file_size + 1)
    except zstandard.ZstdError as exc:
        raise DatasetError(Problem(f"is damaged: {exc}", file)) from exc
