"""The listing of every part there is, read from the survey's cache. Imports neither typer nor any part, so that it answers at once."""

import dataclasses
import sys

from tegum import parts
from tegum.cli.output import columns, emit_json


def write_listing(room: str = "", *, as_json: bool = False) -> None:
    """Write the parts of one room, or of all of them with the experiments first."""
    listed = [part for part in parts.survey() if room in ("", part.room)]
    if as_json:
        emit_json([dataclasses.asdict(part) | {"available": part.available} for part in listed])
        return
    for shown in sorted(parts.ROOMS, key=lambda name: name != "experiments"):
        here = [part for part in listed if part.room == shown]
        if here:
            lines = [(*([part.id] if shown == "experiments" else []), part.name, _title(part)) for part in here]
            sys.stdout.write(f"{shown}\n{columns(lines)}\n")


def _title(part: parts.Part) -> str:
    """What the part is, without its own name in front."""
    if not part.available:
        return f"not available: {part.reason}"
    head, colon, rest = part.title.partition(": ")
    return rest if colon and _letters(head) == _letters(part.name) else part.title


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
