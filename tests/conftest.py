"""Shapes are checked at run time here, in every numeric room; hypothesis draws the same cases on every run.

Numba's own functions are left alone: it compiles what it is given, and can not compile a check around it.
"""

from pathlib import Path

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("tegum", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("tegum")

PACKAGE = Path(__file__).parents[1] / "src" / "tegum"
ROOMS = "dictionaries", "decoders", "toys", "learning", "activations", "auditing"

install_import_hook(
    [
        "tegum.features._base",
        "tegum.features._codes",
        "tegum.features._events",
        "tegum.geometry",
        "tegum.theory",
        *(
            ".".join(("tegum", *file.relative_to(PACKAGE).with_suffix("").parts))
            for room in ROOMS
            for file in (PACKAGE / room).rglob("*.py")
            if file.name != "__init__.py" and not file.stem.endswith("_numba")
        ),
    ],
    "beartype.beartype",
)
