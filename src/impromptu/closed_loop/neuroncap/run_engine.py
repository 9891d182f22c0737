"""Runs NeuroNCAP's engine for chosen seeds; its own Python starts this file, in its checkout.

    python run_engine.py 3,7,8 [options of the engine's main.py]

The engine's main.py drives the runs 0 to N - 1, and the first one that fails takes those behind
it along. Here each run that fails is noted in its folder as ``failure.json``, and the next one
begins. Nothing of this project is imported: it is not installed there.
"""

import asyncio
import json
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Drive the runs that the first argument numbers."""
    sys.path[0] = ""  # the checkout, not the folder of this file
    numbers = sys.argv.pop(1).split(",")
    options = import_module("tyro").cli(import_module("main").Config)
    engine, logger = options.engine.setup(), options.engine.logger
    folder = Path(logger.log_dir)
    for number in numbers:
        logger.log_dir = folder / f"run_{number}"
        engine.logger = logger.setup()
        _drive(engine, int(number), logger.log_dir / "failure.json")


def _drive(engine: Any, seed: int, note: Path) -> None:
    try:
        asyncio.run(engine.run(seed))
    except Exception as error:  # whatever it is, it is this run's alone
        traceback.print_exc()
        note.write_text(json.dumps({"error": f"the engine: {type(error).__name__}: {error}"}))


if __name__ == "__main__":
    main()
