"""A wrong clock for programs of another host: a library that is preloaded, as libfaketime is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (gcc) for the clock that is set wrongly")


def wrong_clock(directory: Path, seconds: int) -> dict[str, str]:
    """The variables under which a program's clock is so many seconds ahead; builds what they name in a directory."""
    assert COMPILER
    library = directory / "wrong_clock.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-nostdlib", "-O1", "-o", str(library), str(source)], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT_S": str(seconds)}
