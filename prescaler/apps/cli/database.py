"""`db upgrade` and `db current`."""

import typer

from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json
from prescaler.config import load_settings
from prescaler.wiring import open_stores, schema_versions, upgrade_schema


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The database's schema.", no_args_is_help=True)
    group.command()(upgrade)
    group.command()(current)
    app.add_typer(group, name="db")


def upgrade(config: Config = None, as_json: Json = False, debug: Debug = False) -> None:
    """Bring the database to this release's schema; running releases keep working."""
    stores = open_stores(load_settings(config_path(config), with_keys=False).store.main)
    before, after = upgrade_schema(stores)
    stores.database.close()
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        OUT.print(f"nothing to do: schema {after}")
    else:
        OUT.print(f"schema {before or 'none'} -> {after}")


def current(config: Config = None, as_json: Json = False, debug: Debug = False) -> int:
    """Show the database's schema; exit 1 where it is not this release's."""
    stores = open_stores(load_settings(config_path(config), with_keys=False).store.main)
    found, needed = schema_versions(stores)
    stores.database.close()
    if as_json:
        print_json({"schema": found, "needed": needed})
    else:
        OUT.print(f"schema {found or 'none'}, this release needs {needed}")
    return 0 if found == needed else 1
