"""Databases as `prescaler db upgrade` leaves them, copied from one that it has made.

Most tests want a store and not the way there, which costs each of them half a second and a dozen
waits for the disk. `tests/adapters/test_migrations.py` walks that way.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.schema import upgrade


@cache
def _bytes() -> bytes:
    """A file of today's schema with nothing in it."""
    with TemporaryDirectory(prefix="prescaler-schema-") as folder:
        path = Path(folder) / "store.sqlite"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()
        return path.read_bytes()


def migrated_file(path: Path) -> str:
    """The address of an empty SQLite database there."""
    path.write_bytes(_bytes())
    return f"sqlite:///{path}"


def migrate(database: Database) -> None:
    """`upgrade`, but a SQLite file that is not there yet becomes a copy."""
    file = Path(database.url.database or "")
    if database.sqlite and not file.exists():
        migrated_file(file)
    else:
        upgrade(database)
