"""The command `ta-bot-sdk build donchian.py -o donchian.wasm`, which makes a component of a strategy.

It imports the strategy first, so that a mistake is named before the slow part begins.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .evaluation import refusal, strategy_of
from .mistakes import told

_PACKAGE = Path(__file__).resolve().parent
_ENTRY = """from ta_bot_sdk.component import exports
import {module}

Strategy = exports({module})
"""


def main() -> None:
    """Reads the arguments. Exits with 1 if there is no component, with the reason on the standard error."""
    parser = argparse.ArgumentParser(prog="ta-bot-sdk", description="Tools for authors of TA Bot strategies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("build", help="make a component of a strategy")
    command.add_argument("source", type=Path, help="the file that defines the strategy, such as donchian.py")
    command.add_argument("-o", "--output", type=Path, required=True, help="the component, such as donchian.wasm")
    arguments = parser.parse_args()
    problem = build(arguments.source, arguments.output)
    if problem:
        print(f"ta-bot-sdk: {problem}", file=sys.stderr)
        sys.exit(1)


def build(source: Path, output: Path) -> str | None:
    """Makes the component; returns what is in the way, or None."""
    if not source.is_file() or not source.stem.isidentifier():
        return f"{source} must be a file whose name is that of a Python module, such as donchian.py"
    problem = _mistake(source)
    if problem:
        return f"{source}: {problem}"
    program = _componentize()
    if program is None:
        return "componentize-py is not installed: pip install 'ta-bot-sdk[build]'"
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder, "ta_bot_component.py")
        entry.write_text(_ENTRY.format(module=source.stem), encoding="utf-8")
        # The SDK alone is put on the path, not the whole site-packages: whatever is there would be looked through.
        (Path(folder) / "sdk").mkdir()
        shutil.copytree(_PACKAGE, Path(folder, "sdk", _PACKAGE.name), ignore=shutil.ignore_patterns("__pycache__"))
        paths = ["-p", folder, "-p", str(Path(folder, "sdk")), "-p", str(source.resolve().parent)]
        world = ["--quiet", "--wit-path", str(_PACKAGE / "wit"), "--world", "strategy-module"]
        # Without WASI, a component has no imports that the host would refuse.
        command = [program, *world, "componentize", *paths, "--stub-wasi", "-o", str(output), entry.stem]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"componentize-py failed\n{run.stdout}{run.stderr}" if run.returncode else None


def _mistake(source: Path) -> str | None:
    """What is wrong with the strategy as far as can be seen without a component."""
    sys.path.insert(0, str(source.resolve().parent))
    sys.dont_write_bytecode = True
    try:
        strategy = strategy_of(importlib.import_module(source.stem))
        refused = refusal(strategy, [])
    except Exception as mistake:
        return told(mistake)
    return f"the strategy refuses its own defaults: {refused}" if refused else None


def _componentize() -> str | None:
    """The program beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("componentize-py")
    return str(beside) if beside.is_file() else shutil.which("componentize-py")


if __name__ == "__main__":
    main()
