"""The standard streams of a command: a reader that leaves, such as `head`, changes neither the work nor its exit code."""

import io
import os
import sys
from typing import Any, TextIO


class CannotAnswer(Exception):
    """The result cannot be written to stdout, for another reason than that its reader has left."""


class _Outlet(io.FileIO):
    """A stream's file, from which nothing more is heard once a write has failed; `optional` when its words may be lost for any reason."""

    def __init__(self, stream: TextIO, *, optional: bool) -> None:
        super().__init__(stream.fileno(), "wb", closefd=False)
        self._optional = optional
        self._gone = False

    def write(self, piece: Any) -> int:
        if not self._gone:
            try:
                return super().write(piece)
            except OSError as error:
                self._gone = True
                if not self._optional and not isinstance(error, BrokenPipeError):
                    raise CannotAnswer(f"cannot write the result: {error.strerror}") from error
        return memoryview(piece).nbytes


def outlast_readers() -> None:
    """Let stdout lose its reader, and stderr whatever it is, without a word; closed ones (`>&-`) are open to nowhere."""
    for name in ("stdin", "stdout", "stderr"):  # in this order each takes its own number, which no file of ours must get
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
    sys.stdout = _outlasting(sys.stdout, optional=False)
    sys.stderr = _outlasting(sys.stderr, optional=True)


def _outlasting(stream: Any, *, optional: bool) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(stream, optional=optional)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
