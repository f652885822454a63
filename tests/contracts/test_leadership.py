"""At most one leader, and another one soon after its death."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.leadership import leadership_on
from prescaler.core.errors import StoreUnreachable
from prescaler.ports import Leadership
from tests.support.ports import free_port

Candidate = Callable[[], Leadership]

_HOLDER = textwrap.dedent(
    """
    import sys, time
    from prescaler.adapters.database.engine import Database
    from prescaler.adapters.database.leadership import leadership_on
    held = leadership_on(Database(sys.argv[1], pool_size=1))
    print(held.acquire(), flush=True)
    time.sleep(60)
    """
)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    address: str = request.getfixturevalue("postgres").fresh_database()
    return address


def candidate(url: str) -> Leadership:
    return leadership_on(Database(url, pool_size=1))


def test_there_is_at_most_one_leader(url: str) -> None:
    one, two = candidate(url), candidate(url)

    assert one.acquire()
    assert not two.acquire()
    assert one.acquire()
    one.release()
    assert two.acquire()
    two.release()


def test_a_full_disk_keeps_nobody_from_leading(tmp_path: Path) -> None:
    # No file of this process may grow any more, which fails as a full disk does.
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + _HOLDER
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    holder = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not candidate(url).acquire()
    finally:
        holder.kill()
        holder.communicate()


def test_a_released_leadership_is_free_at_once(url: str) -> None:
    one, two = candidate(url), candidate(url)

    for _ in range(20):
        assert one.acquire()
        one.release()
        assert two.acquire()
        two.release()


def test_giving_up_twice_or_without_having_it_is_harmless(url: str) -> None:
    one = candidate(url)
    one.release()
    assert one.acquire()
    one.release()
    one.release()


def test_a_killed_leader_is_followed_at_once(url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, url], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    follower = candidate(url)
    assert not follower.acquire()

    holder.kill()
    holder.wait()
    holder.stdout.close()

    end = time.monotonic() + 10
    while not follower.acquire():
        assert time.monotonic() < end
        time.sleep(0.1)
    follower.release()


def test_nobody_leads_where_nobody_can_tell(tmp_path: Path) -> None:
    dead = candidate(f"postgresql://test@127.0.0.1:{free_port()}/x")
    nowhere = candidate(f"sqlite:///{tmp_path / 'missing' / 'store.sqlite'}")

    for one in (dead, nowhere):
        with pytest.raises(StoreUnreachable, match="leadership"):
            one.acquire()
