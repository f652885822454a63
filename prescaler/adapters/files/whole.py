"""Files that appear when they are complete: whoever is killed in between leaves the old one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prescaler.core.errors import BadParameter


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes its place at the end, or is removed."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder and keep others out of it, so that no two runs mix their files there.

    Taken before the work, so that none is lost to a folder that cannot be written to. The lock ends
    with the process, however that ends.

    Raises:
        BadParameter: it cannot be made or written to, or another run writes there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / ".lock").open("wb")
    except OSError as error:
        raise BadParameter(f"--out {folder}: {error}") from error
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"--out {folder}: another run writes there; wait, or name another folder"
            raise BadParameter(text) from error
        yield
