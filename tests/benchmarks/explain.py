"""How long `python -m jobs explain` takes on a repository of 2,000 lines, start-up included."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = 2_000
RUNS = 5
ROOT = Path(__file__).parents[2]
MODULE = '''\
"""Utilities {number}."""
import os


def resize_{number}(size, factor=2):
    """A size times a factor."""
    values = [size * factor for _ in range(3)]
    return {{"size": size, "values": values, "name": os.path.join("cache", str(size))}}


class Store{number}:
    """Keeps what was seen."""

    def __init__(self, folder):
        self.folder = folder
        self.seen = {{}}

    def add(self, key, value):
        if key not in self.seen:
            self.seen[key] = value
        return self.seen[key]


'''
SCRIPT = """\
import keras
from keras import layers
{imports}

model = keras.Sequential()
model.add(layers.Input((64, 64, 3)))
for_size = [{calls}]
model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.MaxPooling2D())
model.add(layers.Conv2D(64, 3, activation="relu"))
model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(128, activation="relu"))
model.add(layers.Dense(2, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(keras.utils.image_dataset_from_directory("data"), epochs=5)
"""


def generate(folder: Path) -> int:
    """Write the repository; the number of its lines."""
    count = LINES // MODULE.count("\n")
    numbers = range(count)
    for number in numbers:
        (folder / f"tools_{number}.py").write_text(MODULE.format(number=number))
    imports = "\n".join(f"from tools_{n} import resize_{n}" for n in numbers)
    calls = ", ".join(f"resize_{n}(32)" for n in list(numbers)[::10])
    (folder / "train.py").write_text(SCRIPT.format(imports=imports, calls=calls))
    return sum(len(path.read_text().splitlines()) for path in folder.iterdir())


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lines = generate(Path(name))
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            command = [sys.executable, "-X", "importtime", "-m", "jobs", "explain", name]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - start)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        heavy = sorted(imported & {"tensorflow", "keras", "optuna", "git", "docker", "numpy"})
        print(
            f"{lines} lines: {min(seconds):.2f} s at best of {RUNS}, {max(seconds):.2f} s at worst"
        )
        print(f"heavy libraries imported: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
