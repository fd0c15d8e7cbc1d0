"""SIGHUP, which the kernel sends when a terminal is closed, ends a process as SIGTERM does."""

import os
import signal


def hang_up_ends() -> None:
    """Lets SIGHUP end this process from here on. Where it is ignored, as `nohup` wants it, that stays."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
