"""How the demonstration ends what it has started."""

import signal
import subprocess
from typing import Final

_PATIENCE_SECONDS: Final = 20


def end(process: "subprocess.Popen[bytes]", by: signal.Signals) -> None:
    """Ask a process to end; kill it where it does not within 20 s."""
    process.send_signal(by)
    try:
        process.wait(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
