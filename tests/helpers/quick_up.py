"""`chasqui up` whose processes are forks of it, for tests that are not about their start: it takes most of their time.

How Python starts them is the subject of other tests of test_start, and of test_commands.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from typing import Any

from worker.operate.cli import main
from worker.runtime import supervisor
from worker.settings import settings

#: What reads a setting when it is loaded.
NOT_SHARED = ("worker.app",)
#: Beyond standard input, output and error.
DESCRIPTORS = (3, 1_024)


class Fork(subprocess.Popen[bytes]):
    """Process that runs a module of ours as `python -m` would, without the start of Python."""

    def _execute_child(self, arguments: Any, _executable: Any, before: Any, *_: Any, **__: Any) -> None:
        self._child_created = True
        self.pid = os.fork()
        if not self.pid:
            become(arguments[2], arguments[3:])


def become(module: str, arguments: list[str]) -> None:
    """In the fork: becomes the program, as if nothing had been read or opened yet. Never returns."""
    code: object = 1
    try:
        os.setsid()
        supervisor._die_with_parent()
        os.closerange(*DESCRIPTORS)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        settings.cache_clear()
        for name in NOT_SHARED:
            sys.modules.pop(name, None)
        sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exc:
        code = exc.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


class QuickSupervisor(supervisor.Supervisor):
    """Supervisor of forks."""

    def _launch(self, program: supervisor.Program) -> subprocess.Popen[bytes]:
        return Fork(program.argv)


if __name__ == "__main__":
    supervisor.Supervisor = QuickSupervisor
    main()
