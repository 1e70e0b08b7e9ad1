"""The loop of the stand-in: orders are ``report``, ``silence``, ``eat``, ``spawn``, ``exit N``."""

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

parser = argparse.ArgumentParser()
for option in ("--source", "--trials", "--data"):
    parser.add_argument(option, type=Path, required=True)
parser.add_argument("--threads", type=int)
options = parser.parse_args()


def answer(name: str, content: object) -> None:
    partial = options.trials / f".{name}"
    partial.write_text(json.dumps(content))
    partial.rename(options.trials / name)


def attempt(action: object) -> str:
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"


def connect() -> None:
    with socket.create_connection(("198.51.100.1", 80), timeout=2):
        pass


def report() -> None:
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    answer(
        "report.json",
        {
            "data": {
                each.name: sorted(file.name for file in each.iterdir())
                for each in options.data.iterdir()
            },
            "user": [os.getuid(), os.getgid()],
            "environment": dict(os.environ),
            "arguments": sys.argv[1:],
            "capabilities": status["CapEff"].strip(),
            "no_new_privileges": status["NoNewPrivs"].strip(),
            "write_root": attempt(lambda: Path("/written").touch()),
            "write_tmp": attempt(lambda: Path("/tmp/written").touch()),
            "write_source": attempt(lambda: (options.source / "written").touch()),
            "write_data": attempt(lambda: next(options.data.iterdir()).joinpath("w").touch()),
            "connect": attempt(connect),
            "data_limit": resource.getrlimit(resource.RLIMIT_DATA)[0],
        },
    )


def spawn() -> None:
    """A child in the session, and one that leaves it and takes no notice of being asked."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    near = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    far = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
    answer("spawned.json", [near.pid, far.pid])


def eat() -> None:
    held = []
    while True:
        held.append(bytearray(b"x") * 10_000_000)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("stand-in trainer started", flush=True)
silent = threading.Event()
while True:
    if not silent.is_set():
        (options.trials / "heartbeat").touch()
    order = ""
    with contextlib.suppress(FileNotFoundError):
        order = (options.trials / "order").read_text()
        (options.trials / "order").unlink()
    name, _, value = order.partition(" ")
    if name == "report":
        report()
    elif name == "silence":
        silent.set()
    elif name == "spawn":
        spawn()
    elif name == "eat":
        try:
            eat()
        except MemoryError:
            print("memory is used up", flush=True)
            sys.exit(5)
    elif name == "exit":
        sys.exit(int(value))
    time.sleep(0.1)
