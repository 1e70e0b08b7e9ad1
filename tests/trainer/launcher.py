"""Starts trainers by fork, so that the tests import TensorFlow once: a line in, a pid out.

Each line names the folder with ``source``, ``trials`` and ``data`` to serve.
"""

import os
import signal
import sys
from pathlib import Path

from trainer.server import Places, Server, import_quietly

import_quietly()
print("ready", flush=True)
for line in sys.stdin:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever has ended leaves no zombie
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        folder = Path(line.strip())
        log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        places = Places(folder / "source", folder / "trials", folder / "data")
        os._exit(Server(places, 2).run())
    print(pid, flush=True)
