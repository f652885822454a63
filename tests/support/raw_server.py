"""A server of raw bytes on loopback: what no well-behaved library would send."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server of raw bytes on loopback; every connection is answered by the same function."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve() -> None:
        while True:
            try:
                found, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=one, args=(found,), daemon=True))
            threads[-1].start()

    def one(found: socket.socket) -> None:
        with found:
            try:
                found.recv(65_536)
                answer(found)
            except OSError:
                return

    main = threading.Thread(target=serve, daemon=True)
    main.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/cup.ics"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (main, *threads):
            thread.join(5)


def says(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode()
    return lambda found: found.sendall(head + body)
