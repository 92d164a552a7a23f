"""Format: one way to keep a sparse autoencoder on disk. It is told by its files, read into ours and written from ours, offline."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from tegum.learning.autoencoders._base import Autoencoder
from tegum.learning.sparse_autoencoder import SparseAutoencoder


class Format(ABC):
    """What `load` and `export` know of a format. Codes are the same on both sides, to float rounding; weights keep the dtype they are stored in."""

    name: ClassVar[str]  # what `export` and `tegum convert --to` call it
    wants: ClassVar[str]  # what it looks for, in words
    files: ClassVar[tuple[str, ...]] = ()  # the files of its folder; none for a format that is one file

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether that is one, by its files alone: one that is damaged is still one."""

    @abstractmethod
    def read(self, path: Path) -> SparseAutoencoder:
        """The autoencoder there; what only training uses is at its default. Raises ValueError, naming the path, for what is not exactly ours."""

    @abstractmethod
    def holds(self, architecture: Autoencoder) -> bool:
        """Whether it can tell such an autoencoder."""

    @abstractmethod
    def write(self, sae: SparseAutoencoder, path: Path) -> None:
        """Write it, whole or not at all, over one of the same format. Raises ValueError for one that can not be told."""
