"""Tegum: one .safetensors file with weights, architecture and notes, as `SparseAutoencoder.save` writes it. It holds every architecture."""

from pathlib import Path

from tegum.learning.autoencoders._base import Autoencoder
from tegum.learning.formats._base import Format
from tegum.learning.sparse_autoencoder import SparseAutoencoder, is_saved, read_saved


class Tegum(Format):
    """Nothing is lost: training's own numbers and all notes are kept."""

    name = "tegum"
    wants = "a .safetensors file that tegum saved (tegum)"

    def recognises(self, path: Path) -> bool:
        """Whether tegum saved that file."""
        return path.is_file() and is_saved(path)

    def read(self, path: Path) -> SparseAutoencoder:
        """What was saved."""
        return read_saved(path)

    def holds(self, architecture: Autoencoder) -> bool:  # noqa: ARG002
        """Every one."""
        return True

    def write(self, sae: SparseAutoencoder, path: Path) -> None:
        """Save it."""
        sae.save(path)
