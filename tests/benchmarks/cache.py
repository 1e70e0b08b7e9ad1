"""How much sooner images are there with the cache than without, and a whole epoch with them.

    python tests/benchmarks/cache.py [--images 600] [--pixels 500] [--size 64] [--rounds 5]

Draws photographs-sized JPEGs, then reads and trains on them as they are and from the cache, in
turns, with Keras' ``flow_from_directory`` and, as the trainer keeps them, with
``image_dataset_from_directory`` and in a loop over the files with Pillow. Prints the median
seconds of each and their ratio with its lowest and highest. ``training`` is an epoch of the
reference model's two-block network, with memory kept, oneDNN and no autotuning of ``tf.data`` as in
the trainer.
"""

import argparse
import functools
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "docker")]

from PIL import Image  # noqa: E402
from trainer.allocator import keep_memory  # noqa: E402
from trainer.onednn import ask_for_onednn  # noqa: E402

from jobs import dataset  # noqa: E402
from jobs.settings import RepositorySettings, Settings  # noqa: E402
from jobs.source.script import DataFolder, ImageLoading, Place  # noqa: E402


def draw_photographs(folder: Path, count: int, pixels: int) -> None:
    """JPEGs of a photograph's detail: smooth areas, edges and grain."""
    for number in range(count):
        generator = random.Random(number)
        coarse = Image.frombytes("RGB", (24, 18), generator.randbytes(24 * 18 * 3))
        size = (pixels, pixels * 3 // 4)
        image = coarse.resize(size, Image.Resampling.BICUBIC)
        grain = Image.effect_noise(size, 40).convert("RGB")
        kind = folder / ("cats", "dogs")[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        Image.blend(image, grain, 0.15).save(kind / f"{number:05d}.jpg", quality=90)


def cached_folder(data: Path, place: Path, named: list[DataFolder], size: int) -> Path:
    """Where Retune would have a script read the images of ``data``, which it names so."""
    settings = Settings(home=place / "home", datasets=data.parent, dataset=data.name)
    images = ImageLoading((size, size), 3, None, "flow_from_directory")
    ready = dataset.prepare(settings, RepositorySettings(), place, named, images, print)
    return ready.folders[data.name]


def flow(folder: Path, size: int) -> Any:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder, target_size=(size, size), batch_size=32, class_mode="binary", seed=1
    )


def pipeline(folder: Path, size: int) -> Any:
    import keras

    images = keras.utils.image_dataset_from_directory(
        folder, image_size=(size, size), label_mode="binary", seed=1, verbose=False
    )
    return images.map(lambda x, y: (x / 255, y))


def read_flow(data: Any) -> None:
    for number in range(len(data)):
        data[number]


def read_pipeline(data: Any) -> None:
    for _ in data:
        pass


def read_files(folder: Path, size: int) -> None:
    for path in folder.rglob("*.jpg"):
        Image.open(path).convert("RGB").resize((size, size)).tobytes()


def network(size: int) -> Any:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            layers.Input((size, size, 3)),
            *[layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()],
            *[layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()],
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, plain: Callable[[], object], cached: Callable[[], object], n: int) -> None:
    plain(), cached()
    pairs = [(seconds(plain), seconds(cached)) for _ in range(n)]
    ratios = [one / other for one, other in pairs]
    one, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"{name:>38}: {one:6.2f} s without, {other:6.2f} s with the cache; "
        f"{statistics.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f})"
    )


def main() -> None:
    keep_memory()
    ask_for_onednn()
    from trainer import finished, pillow, pipelines
    from trainer.paths import data_folders

    pipelines.end_at_once()
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in (("images", 600), ("pixels", 500), ("size", 64), ("rounds", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "offered" / "photographs"
        draw_photographs(data, chosen.images, chosen.pixels)
        named = [DataFolder("photographs", "all", Place("cnn.py", 1))]
        start = time.perf_counter()
        ready = cached_folder(data, Path(place), named, chosen.size)
        print(f"  prepare: {time.perf_counter() - start:6.2f} s, once")
        given = [flow(folder, chosen.size) for folder in (data, ready)]
        compare_loader("flow_from_directory", read_flow, given, chosen)
        plain = pipeline(data, chosen.size)
        processors = len(os.sched_getaffinity(0))
        finished.install(Path(place) / "kept", data_folders(data.parent), processors)
        start = time.perf_counter()
        kept = pipeline(data, chosen.size)
        print(f"  prepare: {time.perf_counter() - start:6.2f} s, once")
        compare_loader("image_dataset_from_directory", read_pipeline, [plain, kept], chosen)
        again = shutil.copytree(data, Path(place) / "again")
        pillow.install(Path(place) / "kept", [again.resolve()])
        each = [functools.partial(read_files, folder, chosen.size) for folder in (data, again)]
        compare("Pillow, reading", *each, chosen.rounds)


def compare_loader(
    name: str, read: Callable[[Any], None], given: list[Any], chosen: argparse.Namespace
) -> None:
    """Of ``given``, the first one reads the images as they are, the second one from the cache."""
    plain, cached = given
    compare(f"{name}, reading", lambda: read(plain), lambda: read(cached), chosen.rounds)
    model = network(chosen.size)
    compare(
        f"{name}, training",
        lambda: model.fit(plain, verbose=0),
        lambda: model.fit(cached, verbose=0),
        chosen.rounds,
    )


if __name__ == "__main__":
    main()
