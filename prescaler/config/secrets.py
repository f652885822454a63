"""Secrets: from the environment or from files, never from the YAML in clear."""

import os
from pathlib import Path


class MissingSecret(Exception):
    """A variable or file that should hold a secret does not."""


def secret(env: str | None, file: str | None) -> str:
    """The secret behind `*_env` or `*_file`.

    Raises:
        MissingSecret: it says which one, and what to do.
    """
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise MissingSecret(f"the file {file} cannot be read: {error}") from error
        where = f"the file {file}"
    else:
        text = os.environ.get(env or "", "").strip()
        where = f"the environment variable {env}"
    if not text:
        raise MissingSecret(f"{where} is empty or not set")
    return text
