"""Exit 0 where the trainer's last heartbeat is recent, 1 where it is not.

python -m trainer.health --trials DIR [--age SECONDS]
"""

import os
import sys
import time

SILENCE = 30.0


def main(arguments: list[str]) -> int:
    # argparse alone would double the time that this takes, every few seconds.
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if "--trials" not in options:
        print("usage: python -m trainer.health --trials DIR [--age SECONDS]")
        return 1
    try:
        beaten = os.lstat(os.path.join(options["--trials"], "heartbeat")).st_mtime
    except OSError as error:
        print(f"no heartbeat: {error.strerror}")
        return 1
    age = time.time() - beaten
    print(f"last heartbeat {age:.1f} s ago")
    return int(age > float(options.get("--age", SILENCE)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
