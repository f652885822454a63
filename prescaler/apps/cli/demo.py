"""`demo`: everything at once, on loopback ports of its own."""

from pathlib import Path
from typing import Annotated

import typer

from prescaler.apps.cli.files import zone_of
from prescaler.apps.cli.options import OUT, Config, Debug, Json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    trace: Annotated[
        Path | None, typer.Option(help="A real trace, timestamp,value; default: synthetic traffic.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Civil time of the traffic.")] = "Europe/Paris",
    once: Annotated[
        bool, typer.Option("--once", help="End after the first active answer.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".demo"),
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Start a real Prometheus, fill and feed it, forecast, and answer as KEDA would be answered."""
    from prescaler.apps.demo.run import DemoOptions, run_demo

    run_demo(DemoOptions(folder, trace, zone_of(timezone), once), OUT)
