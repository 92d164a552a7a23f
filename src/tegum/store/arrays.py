"""The arrays of a row: one safetensors file, named by the sha256 of what it holds.

A file is written to scratch, fsynced and renamed, so a name that exists was once whole. Because its name is its content, two runs that
write the same row never spoil each other's file, and a file that was cut or altered later is found when it is read.
"""

import hashlib
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tegum.files import sha256_of, write_whole

if TYPE_CHECKING:
    import numpy as np

_STALE_SECONDS = 3600  # no file takes an hour to write: an older one is what a killed writer left


class Spoiled(LookupError):
    """An array file is missing, cut short or altered."""


class Arrays:
    """The array files in one folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, digest: str) -> Path:
        """Where the file of that sha256 lies."""
        return self.folder / digest[:2] / f"{digest}.safetensors"

    def write(self, arrays: "dict[str, np.ndarray]") -> str:
        """Write the arrays and return the sha256 of their file. Raises OSError when the disk is full, leaving nothing behind."""
        from safetensors.numpy import save

        data = save(arrays)
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        scratch = self.folder / "scratch" / uuid.uuid4().hex
        scratch.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(exist_ok=True)
        write_whole(target, data, scratch)
        return digest

    def read(self, digest: str) -> "dict[str, np.ndarray]":
        """The arrays of that file. Raises Spoiled when it is not what was written, OSError when it cannot be read now."""
        from safetensors.numpy import load

        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise Spoiled(f"array file {digest[:12]} is gone") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise Spoiled(f"array file {digest[:12]} was cut short or altered")
        return load(data)

    def intact(self, digest: str) -> bool:
        """True when the file is there and holds what was written. Raises OSError when that cannot be known, for it cannot be read now."""
        try:
            return sha256_of(self.path(digest)) == digest
        except FileNotFoundError:
            return False

    def sweep(self) -> None:
        """Remove what killed writers left in scratch."""
        for scratch in (self.folder / "scratch").glob("*"):
            try:
                if time.time() - scratch.stat().st_mtime > _STALE_SECONDS:
                    scratch.unlink()
            except FileNotFoundError:
                continue
