"""Does a script train slower under the trainer than by itself?

    jobs/python tests/benchmarks/slowdown.py [--images 600] [--epochs 4] [--rounds 3] [--pixels N]

Trains the reference script on drawn faces, in turns by ``python cnn.py`` and in a trial of the
trainer, both with the same processors; with ``--pixels``, on JPEGs of so many, which the trial is
given from the image cache, as Retune does it. Compared are the seconds of all epochs but the first,
as Keras' callbacks see them; the rest is start-up, which the trainer has once for a study. Prints
the median of each and their ratio with its lowest and highest.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from jobs.environment.base import Limits, Specification  # noqa: E402
from jobs.environment.process import ProcessEnvironment  # noqa: E402
from jobs.environment.spool import Request, Spool  # noqa: E402
from jobs.source.script import DataFolder, Place  # noqa: E402
from tests.benchmarks.cache import cached_folder, draw_photographs  # noqa: E402

SPLITS: tuple[Literal["train"], Literal["validation"]] = ("train", "validation")
CLOCK = """
import json
import time
import keras


class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        with open("seconds.jsonl", "a") as file:
            print(json.dumps(time.monotonic() - self.began), file=file)

"""


def clocked_script(epochs: int) -> str:
    """The reference script, which notes the seconds of its epochs in ``seconds.jsonl``."""
    text = (ROOT / "model" / "cnn.py").read_text()
    for old, new in (
        ("EPOCHS = 5", f"EPOCHS = {epochs}"),
        ("validation_data=validation_set)", "validation_data=validation_set, callbacks=[Clock()])"),
    ):
        assert old in text, f"model/cnn.py does not say {old} any more"
        text = text.replace(old, new)
    return CLOCK + text


def seconds(folder: Path) -> float:
    """Of the epochs that a script noted, without the first, in which Keras traces its functions."""
    lines = (folder / "seconds.jsonl").read_text().splitlines()
    return sum(json.loads(line) for line in lines[1:])


def draw_faces(folder: Path, images: int) -> Path:
    counts = ("--train", str(images), "--validation", "200", "--test", "0")
    draw = [sys.executable, "-m", "model.faces", str(folder), *counts]
    subprocess.run(draw, cwd=ROOT, check=True, capture_output=True)
    return folder


def by_itself(folder: Path, script: str, data: Path) -> float:
    folder.mkdir()
    (folder / "cnn.py").write_text(script)
    (folder / "dataset").symlink_to(data)
    subprocess.run(
        [sys.executable, "cnn.py"], cwd=folder, check=True, capture_output=True, env=os.environ
    )
    return seconds(folder)


def in_a_trial(study: Path, number: int, script: str) -> float:
    source = study / "source" / str(number)
    source.mkdir(parents=True)
    (source / "cnn.py").write_text(script)
    spool = Spool.of(study, number)
    spool.submit(
        Request(study=study.name, trial=number, script="cnn.py", data={"dataset": "images"})
    )
    while (result := spool.result()) is None:
        time.sleep(0.05)
    assert result.outcome == "complete", result.reason
    return seconds(spool.folder / "work")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in (("images", 600), ("epochs", 4), ("rounds", 3)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--pixels", type=int)
    chosen = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    place = Path(tempfile.mkdtemp(prefix="retune-benchmark-"))
    study = place / "home" / "studies" / "slowdown"
    if chosen.pixels:
        data = place / "offered" / "photographs"
        for split, count in zip(SPLITS, (chosen.images, 200), strict=True):
            draw_photographs(data / split, count, chosen.pixels)
        named = [DataFolder(f"dataset/{split}", split, Place("cnn.py", 1)) for split in SPLITS]
        given = cached_folder(data, place, named, 64)
    else:
        given = data = draw_faces(place / "faces", chosen.images)
    for folder in ("source", "trials"):
        (study / folder).mkdir(parents=True)
    environment = ProcessEnvironment(place / "home")
    processors = len(os.sched_getaffinity(0))
    try:
        environment.launch(
            Specification(
                study=study.name,
                folder=study,
                data={"images": given},
                limits=Limits(
                    memory=4 << 30, cpus=processors, processes=512, shared_memory=512 << 20
                ),
            )
        )
        script = clocked_script(chosen.epochs)
        pairs = [
            (by_itself(place / str(n), script, data), in_a_trial(study, n, script))
            for n in range(chosen.rounds)
        ]
    finally:
        environment.remove(study.name)
        shutil.rmtree(place)
    ratios = [trial / alone for alone, trial in pairs]
    alone, trial = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"{chosen.epochs - 1} epochs on {processors} processors: {alone:.2f} s by itself, "
        f"{trial:.2f} s in a trial; {statistics.median(ratios):.2f} times as long "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
