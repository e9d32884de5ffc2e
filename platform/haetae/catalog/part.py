"""One part of a large file of JSON lines, checked in a process of its own for `haetae.catalog.parts`.

Run as `python -m haetae.catalog.part FILE START STOP [REQUIRED …]`, for the lines that start at bytes START to
STOP. On standard output: the number of samples and the length of the longest row, in 8 bytes each; then 8 bytes
of digest for the id of each sample, and 32 for the content of each. It ends with 1 and writes nothing when a
row is no sample: the file is then read row by row to say which and why. So is a file with
pictures: their hashes must stay known while it is in use.
"""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from haetae.catalog.jsonl import parse_json
from haetae.catalog.lines import MAX_ROW
from haetae.catalog.pictures import has_pictures
from haetae.catalog.rows import BadRow, sample_json
from haetae.core.canonical import digest, digest_bytes

NUMBER_BYTES = 8
ID_BYTES = 8
"""Of an id's digest. Two ids that share them are looked at more closely: a chance hit costs time, nothing else."""
_MARK = b"\xef\xbb\xbf"


def check_part(path: Path, start: int, stop: int, require: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """(bytes of the longest row, digests of the ids, digests of the contents), digests joined in file order.

    Raises BadRow at the first fault.
    """
    ids, contents, longest = bytearray(), bytearray(), 0
    with path.open("rb") as stream:
        stream.seek(start)
        at = start
        while at < stop and (line := stream.readline(MAX_ROW + 2)):
            if len(line) == MAX_ROW + 2:
                raise BadRow([("", "may be over the limit of a row")])
            row = line if at else line.removeprefix(_MARK)
            at += len(line)
            if not row or row.isspace():
                continue
            if len(row) > longest:
                longest = len(row)
            sample = sample_json(parse_json(row), require)
            if type(sample["input"]) is list and has_pictures(sample["input"]):
                raise BadRow([("", "pictures are looked at where they are read again")])
            name = sample.get("id")
            if name is None:
                name = sample["id"] = digest(sample)[:16]
            ids += hashlib.blake2b(name.encode("utf-8"), digest_size=ID_BYTES).digest()
            contents += digest_bytes(sample)
    return longest, bytes(ids), bytes(contents)


def main() -> None:
    """The process."""
    file, start, stop, *require = sys.argv[1:]
    gc.disable()  # rows hold no cycles
    try:
        longest, ids, contents = check_part(Path(file), int(start), int(stop), dict.fromkeys(require, "a metric"))
    except BadRow:
        sys.exit(1)
    count = len(ids) // ID_BYTES
    for number in (count, longest):
        sys.stdout.buffer.write(number.to_bytes(NUMBER_BYTES, sys.byteorder))
    sys.stdout.buffer.write(ids)
    sys.stdout.buffer.write(contents)


if __name__ == "__main__":
    main()
