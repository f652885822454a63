"""Options and outputs that every command shares."""

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from prescaler.config.environment import Environment

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The file; default: PRESCALER_CONFIG or prescaler.yaml."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

OUT: Final = Console(soft_wrap=True)
ERR: Final = Console(stderr=True, soft_wrap=True)


def config_path(given: Path | None) -> Path:
    """The file that was asked for."""
    return given or Environment().config


def table_of(*headers: str) -> Table:
    """A table that breaks what is too wide for the terminal, and cuts nothing off."""
    table = Table(*headers)
    for column in table.columns:
        column.overflow = "fold"
    return table


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode())
