"""Files that are there whole or not at all: written beside their place, brought to the disk, then renamed; and tensors with facts in one of them.

A tensor file is one of safetensors whose header holds facts as JSON: nothing pickled, nothing run when it is read.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_HEADER = "tegum"


def write_whole(path: str | Path, data: bytes, scratch: Path | None = None) -> None:
    """Write `data` to `path`: whole or, when the disk is full or the process dies, not at all. `scratch` is where it is written first: beside.

    Raises OSError as the system does, leaving nothing behind.
    """
    target = Path(path)
    scratch = scratch or target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        with scratch.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    _sync_folder(target.absolute().parent)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False, default=as_number) + "\n").encode())


def write_tensors(path: str | Path, tensors: "Mapping[str, Tensor]", facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON values) to one file. Raises FileNotFoundError for a folder that is not there."""
    from safetensors.torch import save

    metadata = {_HEADER: json.dumps(dict(facts), default=as_number)}
    data = save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, metadata=metadata)
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"no folder {Path(path).absolute().parent} to save {Path(path).name} in")
    write_whole(path, data)


def read_tensors(path: str | Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """The tensors and facts of such a file; no facts ({}) of one that another program wrote. Raises ValueError for a file that is not whole."""
    from safetensors import SafetensorError, safe_open

    Path(path).open("rb").close()  # a missing file or a folder is the system's own error, which names it
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from None
    try:
        facts = json.loads(text)
    except ValueError:
        facts = {}
    return tensors, facts if isinstance(facts, dict) else {}


def as_number(value: Any) -> Any:
    """For `json.dumps(default=...)`: a number of NumPy, which JSON does not know. Raises TypeError for anything else."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r} is no JSON")


def sha256_of(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
