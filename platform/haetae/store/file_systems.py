"""What kind of file system an SQLite ledger lies on: its locks and its shared memory hold within one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NETWORK: Final = (
    *("nfs", "cifs", "smb", "ncpfs", "afs", "auristorfs", "coda", "ceph", "glusterfs", "lustre", "gpfs", "beegfs"),
    *("fhgfs", "pvfs2", "orangefs", "panfs", "wekafs"),
    *("fuse.sshfs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs", "fuse.mfs", "fuse.moosefs", "fuse.seaweedfs"),
    *("fuse.s3", "fuse.gcsfuse", "fuse.rclone", "fuse.goofys", "fuse.geesefs", "fuse.blobfuse", "fuse.mountpoint-s3"),
    *("fuse.davfs", "fuse.curlftpfs", "fuse.google-drive", "fuse.onedrive", "fuse.smbnetfs"),
)
"""How their types begin, those of clouds too."""
_LENT: Final = ("9p", "virtiofs", "fakeowner", "vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs", "fuse.grpcfuse", "drvfs")
"""Folders that a host lends to a virtual machine, as WSL and Docker Desktop do: fine for the processes of one side."""


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds `path`, "" where the system does not tell.

    `mounts` is the text of /proc/mounts. What calls itself no more than `fuse` is told by its source.
    """
    if mounts is None:
        table = Path("/proc/self/mounts")
        mounts = table.read_text(encoding="utf-8", errors="replace") if table.exists() else ""
    wanted, best, kind = path.absolute(), -1, ""
    for line in mounts.splitlines():
        source, point, filesystem, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if wanted.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), f"fuse.{source}" if filesystem == "fuse" else filesystem
    return kind


def network_filesystem(path: Path) -> str | None:
    """The type of the network file system that holds `path`, None on a local disk."""
    kind = file_system_of(path)
    return kind if kind.startswith(_NETWORK) else None


def lent_filesystem(path: Path) -> str | None:
    """The type of the file system that holds `path`, where that is a folder of the host of a virtual machine."""
    kind = file_system_of(path)
    return kind if kind.startswith(_LENT) else None
