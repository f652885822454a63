"""A real PostgreSQL of the tests' own: initdb into a folder, a socket and a loopback port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.schema import upgrade
from tests.support.ports import free_port

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


def find_program(name: str) -> str:
    """`initdb` and the like: where Debian puts them, else on the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    if (found := shutil.which(name)) is not None:
        return found
    raise RuntimeError(f"{name} is missing: apt-get install --no-install-recommends postgresql")


class PostgresServer:
    """One server; it may be stopped, killed and started again."""

    def __init__(self) -> None:
        # The server refuses root, and the user it runs as must be able to enter the folder.
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="prescaler-pg-"))
        self.port = free_port()
        self._databases = 0
        self._migrated: str | None = None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run(
            [
                find_program("initdb"),
                *("-D", str(self.data), "-U", "test", "--auth=trust", "--encoding=UTF8"),
                *("--locale=C.UTF-8", "--no-sync", "--no-instructions"),
            ]
        )
        self.start()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """An address for SQLAlchemy."""
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", *_FAST]
        options = " ".join(f"-c {setting}" for setting in settings)
        self._control("start", "-l", str(self.folder / "log"), "-o", f"{options} -k {self.folder}")

    def stop(self) -> None:
        """Stop at once; connections are cut."""
        self._control("stop", "-m", "immediate")

    def pause(self) -> None:
        """Let it hang: connections stay open and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def fresh_database(self, like: str = "template1") -> str:
        """The address of an empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self._admin(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
        return self.url(name)

    def migrated_database(self) -> str:
        """The address of one with today's schema and nothing in it: a copy of one that it made."""
        if self._migrated is None:
            database = Database(self.fresh_database())
            upgrade(database)
            database.close()
            self._migrated = str(database.url.database)
        return self.fresh_database(self._migrated)

    def close(self) -> None:
        """Stop and remove everything."""
        if (self.data / "postmaster.pid").exists():
            self.resume()
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _admin(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=test dbname=postgres"

    def _control(self, action: str, *more: str) -> None:
        self._run([find_program("pg_ctl"), "-D", str(self.data), "-w", *more, action])

    def _run(self, command: Sequence[str]) -> None:
        as_user = ["runuser", "-u", self._user, "--"] if self._user else []
        done = subprocess.run(
            [*as_user, *command],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr}")

    def _signal_all(self, number: int) -> None:
        leader = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        for process in [leader, *map(int, children)]:
            os.kill(process, number)
        time.sleep(0.05)
