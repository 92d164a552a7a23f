"""Shapes are checked at run time here, in every numeric room; hypothesis draws the same cases on every run."""

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("tegum", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("tegum")

install_import_hook(
    [
        "tegum.features._base",
        "tegum.features._codes",
        "tegum.features._events",
        "tegum.dictionaries",
        "tegum.decoders",
        "tegum.geometry",
        "tegum.theory",
        "tegum.toys",
    ],
    "beartype.beartype",
)
