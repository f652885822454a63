"""One process: keeper, scheduler and HTTP server, started and ended together."""

import errno
import gc
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from prescaler.adapters.telemetry.legacy import LegacyCollector
from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.api.app import everything, metric_only, pages_only
from prescaler.apps.api.context import ApiContext
from prescaler.apps.api.keys import KeyRing
from prescaler.apps.api.metric import Doorkeeper
from prescaler.apps.heartbeat import Heartbeat
from prescaler.apps.keeper import Keeper
from prescaler.apps.pod_watch import PodWatch
from prescaler.apps.replays import ReplayRunner
from prescaler.apps.scheduler.clockwork import Clockwork
from prescaler.config import Settings, load_settings
from prescaler.config.models import ServerSection
from prescaler.core.errors import ConfigurationError
from prescaler.ports import PodSource
from prescaler.usecases.review_pods import PodReview
from prescaler.wiring import (
    Stores,
    clock,
    open_leadership,
    open_pod_sources,
    open_snapshot,
    open_stores,
)

_KEEP_ALIVE_SECONDS: Final = 120
"""KEDA's connection pool drops idle connections after 90 s. Were we to close them first, its next
question could meet a closing connection, which it counts as a failure."""

_SWITCH_SECONDS: Final = 0.0002
"""How soon a waiting thread gets the interpreter: an answer must not wait 5 ms for a page."""

_LOG: Final = structlog.get_logger()


class Only(StrEnum):
    """Part of the server that a process is for."""

    METRIC = "metric"
    PAGES = "pages"


class Process:
    """What every long-running process has: settings, stores, keeper, and threads that it ends.

    Raises:
        ConfigurationError, StoreError
    """

    def __init__(self, path: Path, role: str = "all") -> None:
        settings = load_settings(path)
        self.clock = clock()
        self.telemetry = Telemetry()
        self.stores: Stores = open_stores(settings.store.main)
        snapshot = open_snapshot(settings.server.snapshot_dir)
        self.keeper = Keeper(path, settings, self.stores, snapshot, self.telemetry, self.clock)
        self.telemetry.snapshot_age.set_function(self.keeper.snapshot_age)
        self.telemetry.watch(self.keeper.observations)
        if settings.server.legacy_metrics:
            self.telemetry.add(LegacyCollector(self.keeper.legacy))
        self.heartbeat = Heartbeat(self.stores.replicas, self.clock, role, settings.server.listen)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def settings(self) -> Settings:
        """The present settings."""
        return self.keeper.settings

    def start(self, *, schedule: bool) -> None:
        """Begin to serve from memory, and to schedule if wanted."""
        signal.signal(signal.SIGHUP, lambda *_: self.keeper.ask_reload())
        self.keeper.start()
        self._thread("keeper", self.keeper.run)
        self._thread("heartbeat", self.heartbeat.run)
        self._thread("pods", PodWatch(self.keeper, self.telemetry, self.clock).run)
        if schedule:
            leadership = open_leadership(self.settings.store.direct)
            clockwork = Clockwork(self.keeper, self.stores, leadership, self.telemetry, self.clock)
            self._thread("clockwork", clockwork.run)

    def play_replays(self) -> None:
        """Do what people ask to be played again, one at a time."""
        self._thread("replays", ReplayRunner(self.keeper, self.stores, self.clock).run)

    def wait(self) -> None:
        """Until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._stop.wait()

    def end(self) -> None:
        """End the threads and give everything back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self.stores.database.close()
        _LOG.info("ended")

    def _thread(self, name: str, target: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(target=target, args=(self._stop,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


def serve(path: Path, *, schedule: bool, only: Only | None) -> None:
    """Serve until told to stop."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    process = Process(path, only.value if only is not None else "all")
    listeners = _listeners(process.settings.server.listen)  # before anything is led or scheduled
    # uvicorn raises the signal that ended it once more; without a handler that would end us
    # before the leader's lock is given back.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    process.start(schedule=schedule and only is not Only.METRIC)
    if only is not Only.METRIC:
        process.play_replays()
    _calm_the_collector()
    try:
        section = process.settings.server
        _LOG.info("listening", address=section.listen, only=only)
        uvicorn.Server(_uvicorn(section, application(process, only))).run(listeners)
    finally:
        process.end()


def _calm_the_collector() -> None:
    """Keep the garbage collector from walking all forecasts while KEDA waits.

    With 1,500 workloads a full collection takes tens of milliseconds: the p99 of answers under load
    was 37 ms with Python's own thresholds and 12 ms without. What was loaded at the start is
    taken out of its sight, and it comes less often; nothing that we keep forms cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def schedule_only(path: Path) -> None:
    """Schedule until told to stop; answers nobody."""
    process = Process(path, "scheduler")
    process.start(schedule=True)
    process.play_replays()
    try:
        process.wait()
    finally:
        process.end()


def application(process: Process, only: Only | None = None) -> ASGIApp:
    """The ASGI application of a process."""
    door = Doorkeeper(KeyRing(process.settings.keys), process.clock)
    process.keeper.on_settings.append(lambda s: setattr(door, "ring", KeyRing(s.keys)))
    context = ApiContext(
        table=process.keeper.table,
        stores=process.stores,
        door=door,
        clock=process.clock,
        telemetry=process.telemetry,
        settings=lambda: process.settings,
        refresh=process.keeper.refresh,
        health=process.keeper.health,
        replicas=process.heartbeat.replicas,
        pods=PodReview(_pod_sources(process.keeper)),
    )
    if only is not Only.METRIC:
        context.survey.warm(context.table, process.clock.now().replace(microsecond=0))
    kinds: dict[Only | None, Callable[[ApiContext], ASGIApp]] = {
        Only.METRIC: metric_only,
        Only.PAGES: pages_only,
        None: everything,
    }
    return kinds[only](context)


def _pod_sources(keeper: Keeper) -> Callable[[], Mapping[str, PodSource]]:
    """The servers that count pods, as the present settings name them; opened when first asked."""
    opened: dict[int, Mapping[str, PodSource]] = {}

    def present() -> Mapping[str, PodSource]:
        settings = keeper.settings
        if id(settings) not in opened:
            opened.clear()
            opened[id(settings)] = open_pod_sources(settings)
        return opened[id(settings)]

    return present


def _listeners(listen: str) -> list[socket.socket]:
    """A socket for each address that `server.listen` stands for.

    Raises:
        ConfigurationError: another process listens there, or the address is none of this machine's.
    """
    host, _, port = listen.rpartition(":")
    opened: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            opened.append(socket.create_server(address, family=family))
    except OSError as error:
        for one in opened:
            one.close()
        reason = error.strerror
        if error.errno == errno.EADDRINUSE:
            reason = "another process listens there: end it, or name another port"
        raise ConfigurationError(f"server.listen: {listen}: {reason}") from error
    return opened


def _uvicorn(section: ServerSection, app: ASGIApp) -> uvicorn.Config:
    tls = section.tls
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
        ssl_certfile=tls.cert_file if tls else None,
        ssl_keyfile=tls.key_file if tls else None,
        ssl_ca_certs=tls.client_ca_file if tls else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca_file else ssl.CERT_NONE,
    )
