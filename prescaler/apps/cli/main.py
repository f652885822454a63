"""`prescaler`: the command line. Exit codes say what kind of thing went wrong."""

import os
import sys
from typing import Final

import typer
from typer.exceptions import TyperException

import prescaler
from prescaler.adapters.telemetry.logs import set_up_logs
from prescaler.apps.cli import (
    backfill,
    backtest,
    check,
    control,
    database,
    demo,
    events,
    forecast,
    history,
    keda,
    move_in,
    processes,
    replay,
)
from prescaler.apps.cli.options import ERR, OUT, print_json
from prescaler.apps.cli.output import OutputGone, guard_outputs
from prescaler.config import InvalidConfiguration
from prescaler.config.environment import Environment, LogFormat
from prescaler.core.errors import (
    ConfigurationError,
    FeedNotUnderstood,
    FeedTooLarge,
    PrescalerError,
    RequestError,
    SourceError,
    StoreError,
)

DONE, NO, USAGE, CONFIGURATION, SOURCE, STORE, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130

_CODES: Final[tuple[tuple[type[PrescalerError], int], ...]] = (
    (ConfigurationError, CONFIGURATION),
    (FeedNotUnderstood, USAGE),
    (FeedTooLarge, USAGE),
    (SourceError, SOURCE),
    (StoreError, STORE),
    (RequestError, USAGE),
    (PrescalerError, NO),
)

app = typer.Typer(
    name="prescaler",
    help="Tells KEDA, early enough, how much demand to be ready for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
processes.register(app)
check.register(app)
database.register(app)
forecast.register(app)
history.register(app)
backfill.register(app)
backtest.register(app)
replay.register(app)
keda.register(app)
control.register(app)
events.register(app)
move_in.register(app)
demo.register(app)


def _version(asked: bool) -> None:
    if asked:
        OUT.print(prescaler.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False,
        "--version",
        callback=_version,
        is_eager=True,
        help="Show the version.",
    ),
) -> None:
    """Tells KEDA, early enough, how much demand to be ready for."""


def run() -> None:
    """Entry point of the console script."""
    guard_outputs()
    environment = Environment()
    json_lines = environment.log_format is LogFormat.JSON or (
        environment.log_format is LogFormat.AUTO and not sys.stderr.isatty()
    )
    set_up_logs(json_lines=json_lines, level=environment.log_level)
    sys.exit(_written(sys.argv[1:]))


def _exit_code(arguments: list[str]) -> int:
    try:
        return _called(arguments)
    except typer.Exit as end:
        return end.exit_code
    except TyperException as error:
        if error.format_message():  # without a command the help was printed already
            _tell("usage", f"{error.format_message()}; see prescaler --help", arguments)
        return USAGE
    except (typer.Abort, KeyboardInterrupt):
        _tell(
            "interrupted", "what was done is kept; the same command goes on from there", arguments
        )
        return INTERRUPTED
    except PrescalerError as error:
        if "--debug" in arguments:
            raise
        _report(error, as_json="--json" in arguments)
        return next(code for kind, code in _CODES if isinstance(error, kind))
    except Exception as error:
        if "--debug" in arguments or isinstance(error, OutputGone):
            raise
        _tell("defect", f"{type(error).__name__}: {error}; --debug shows where", arguments)
        return DEFECT


def _called(arguments: list[str]) -> int:
    try:
        return int(app(arguments, standalone_mode=False) or DONE)
    except SystemExit as end:  # typer ends in silence at a broken pipe, wherever it was
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise


def _written(arguments: list[str]) -> int:
    """The exit code once all is printed; that somebody reads only the head of it is no fault."""
    try:
        code = _exit_code(arguments)
        if sys.stdout is not None:  # it is None where the descriptor was closed from the start
            sys.stdout.flush()
    except OutputGone as error:
        if "--debug" in arguments:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        if not error.unread:
            _tell("error", str(error), [])
        return NO
    return code


def _tell(kind: str, text: str, arguments: list[str]) -> None:
    """What went wrong, in one line; for scripts as a document."""
    if "--json" in arguments:
        print_json({"error": text, "kind": kind})
        return
    ERR.print(kind, style="red", end=" ")
    ERR.print(text, markup=False, highlight=False)


def _report(error: PrescalerError, *, as_json: bool) -> None:
    if as_json:
        document = {"error": str(error), "kind": error.kind}
        if isinstance(error, InvalidConfiguration):
            document["problems"] = [vars(p) for p in error.problems]  # type: ignore[assignment]
        print_json(document)
        return
    ERR.print("error", style="red", end=" ")
    ERR.print(str(error), markup=False, highlight=False)
