"""`serve` and `scheduler`: the long-running processes."""

from typing import Annotated

import typer

from prescaler.apps.cli.options import Config, Debug, Json, config_path


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(scheduler)


def serve(
    config: Config = None,
    no_scheduler: Annotated[
        bool, typer.Option("--no-scheduler", help="Only answer; another process schedules.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="metric|pages", help="Only KEDA's answers, or all but them."
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer KEDA, and schedule forecasts while leading."""
    from prescaler.apps.server import Only
    from prescaler.apps.server import serve as serve_until_told

    if only not in (None, *Only):
        raise typer.BadParameter("must be metric or pages", param_hint="--only")
    part = Only(only) if only is not None else None
    serve_until_told(config_path(config), schedule=not no_scheduler, only=part)


def scheduler(
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Schedule forecasts while leading, and answer nobody."""
    from prescaler.apps.server import schedule_only

    schedule_only(config_path(config))
