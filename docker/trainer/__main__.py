"""``python -m trainer --source DIR --trials DIR --data DIR [--threads N]``"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from trainer.allocator import keep_memory
from trainer.limits import cpu_share


def main() -> NoReturn:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument(
        "--source", type=Path, required=True, help="the commits: <n>/ of each trial"
    )
    parser.add_argument("--trials", type=Path, required=True, help="the spool: <n>/request.json …")
    parser.add_argument("--data", type=Path, required=True, help="below it the data sets, by name")
    parser.add_argument("--threads", type=int, help="CPU threads at the most (default: our share)")
    options = parser.parse_args()
    for folder in (options.source, options.trials, options.data):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")

    keep_memory()
    # Only now, since it imports TensorFlow: a wrong argument is answered at once.
    from trainer.server import Places, serve

    places = Places(options.source.resolve(), options.trials.resolve(), options.data.resolve())
    # More threads than processors take turns on them, and an epoch takes twice as long.
    share = cpu_share()
    status = serve(places, min(options.threads or share, share))
    sys.stdout.flush()
    # TensorFlow takes seconds to be torn down, and there is nothing left to be kept.
    os._exit(status)


if __name__ == "__main__":
    main()
