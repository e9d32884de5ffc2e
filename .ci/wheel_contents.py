"""Refuses a wheel that would run code of its own when it is installed or when Python starts.

python .ci/wheel_contents.py dist/haetae-0.1.0-py3-none-any.whl
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import PurePosixPath

_OURS = re.compile(r"haetae(-[^/]+\.dist-info)?/")
_STARTED = {"sitecustomize.py", "usercustomize.py"}


def refused(wheel: str) -> list[str]:
    """Every file that may not be in it, with the reason."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    return [f"{name}: {why}" for name in names if (why := _fault(name))]


def _fault(name: str) -> str | None:
    path = PurePosixPath(name)
    if path.suffix == ".pth":
        return "a .pth file is run whenever Python starts"
    if path.name in _STARTED:
        return "is run whenever Python starts"
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return "leads out of the place where a wheel is installed"
    if not _OURS.match(name):
        return "lies outside the package"
    return None


def main() -> None:
    """Exit with 1 and the list, or say that all is well."""
    faults = refused(sys.argv[1])
    if faults:
        sys.exit("\n".join(["the wheel is refused:", *faults]))


if __name__ == "__main__":
    main()
