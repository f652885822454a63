"""Standard output and error, when what is written has no place."""

import errno
import io
import sys
from typing import TextIO


class OutputGone(Exception):
    """Standard output cannot be written; nothing else that fails is ever called this.

    No OSError, since rich and typer end the process in silence at any that says "broken pipe".
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"the output cannot be written: {cause.strerror}")
        self.unread = cause.errno == errno.EPIPE


def guard_outputs() -> None:
    """Tell failures of the output from all others, and let no lost line of a log stop any work.

    A broken connection and a full disk elsewhere carry the same numbers as a reader that is gone.
    Standard error is where failures are told: one of its own can be told nowhere.
    """
    sys.stdout = _over(sys.stdout, _Told)
    sys.stderr = _over(sys.stderr, _Dropped)


class _Told(io.FileIO):
    """Raises `OutputGone` where nothing can be written."""

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            raise OutputGone(error) from error


class _Dropped(io.FileIO):
    """Drops what cannot be written."""

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _over(stream: TextIO | None, kind: type[io.FileIO]) -> TextIO:
    """The same stream, through a descriptor of another kind; None, where it was closed, stays."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # type: ignore[return-value]
    return io.TextIOWrapper(
        io.BufferedWriter(kind(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
