"""A replay as one HTML file that needs nothing else."""

from pathlib import Path
from typing import Any

from prescaler.core.errors import BadParameter


def write_page(path: Path, found: dict[str, Any]) -> None:
    """Write it.

    Raises:
        BadParameter: it cannot be written there.
    """
    try:
        path.write_text(str(found), encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{path} cannot be written: {error}") from error
