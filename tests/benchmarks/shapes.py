"""Draws five kinds of shapes, a data set that the search was not developed on.

    python -m tests.benchmarks.shapes OUT [--train 2000] [--validation 600] [--size 64] [--seed 1]

writes ``OUT/<split>/<kind>/<number>.jpg``. Kinds differ in outline alone: colours, patterns,
backgrounds, light, size, place and turn say nothing, and every outline is dented at random. A
fifth of the pictures of each kind is half hidden. The same seed gives the same pictures.
"""

import argparse
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image, ImageDraw, ImageFilter  # noqa: E402

from model.scenery import (  # noqa: E402
    FURS,
    Point,
    add_noise,
    draw_scene,
    draw_thing,
    light,
    tint,
)

STEPS, SUPERSAMPLING = 96, 2
Radius = Callable[[float], float]
"""Distance of an outline from its middle at an angle (radians); about 1."""


def _star(angle: float, points: int, depth: float) -> float:
    """Straight edges between outer and inner corners."""
    part = (angle * points / (2 * math.pi)) % 1
    return 1 - depth * (1 - abs(2 * part - 1))


def _polygon(angle: float, corners: int) -> float:
    step = 2 * math.pi / corners
    return math.cos(step / 2) / math.cos(angle % step - step / 2)


OUTLINES: Mapping[str, Radius] = {
    "blossoms": lambda a: 0.8 + 0.2 * math.cos(5 * a),
    "gears": lambda a: 0.95 if math.sin(9 * a) > 0 else 0.75,
    "leaves": lambda a: 0.25 + 0.75 * abs(math.cos(a)) ** 1.6,
    "stars": lambda a: _star(a, 5, 0.5),
    "stones": lambda a: _polygon(a, 6),
}


def outline(kind: str, rng: random.Random) -> list[Point]:
    """Points around (0, 0), turned, squeezed and dented."""
    turn, squeeze = rng.uniform(0, 2 * math.pi), rng.uniform(0.65, 1.0)
    dents = [(rng.randint(2, 7), rng.gauss(0, 0.035), rng.uniform(0, 7)) for _ in range(4)]
    lean = rng.uniform(0, math.pi)
    points = []
    for step in range(STEPS):
        angle = 2 * math.pi * step / STEPS
        radius = OUTLINES[kind](angle)
        radius += sum(depth * math.sin(times * angle + shift) for times, depth, shift in dents)
        x, y = radius * math.cos(angle + turn), radius * math.sin(angle + turn)
        # Squeezed along the axis at ``lean``.
        along = (1 - squeeze) * (x * math.cos(lean) + y * math.sin(lean))
        points.append((x - along * math.cos(lean), y - along * math.sin(lean)))
    return points


def draw_shape(kind: str, seed: str, size: int) -> Image.Image:
    """A picture of ``size`` × ``size`` pixels of one kind."""
    rng = random.Random(seed)
    large = size * SUPERSAMPLING
    image = draw_scene(rng, large)
    reach = rng.uniform(0.18, 0.4) * large
    left, top = (rng.uniform(0.35, 0.65) * large for _ in range(2))
    mask = Image.new("L", (large, large))
    ImageDraw.Draw(mask).polygon(
        [(left + reach * x, top + reach * y) for x, y in outline(kind, rng)], fill=255
    )
    filled = Image.new("RGB", (large, large), tint(rng.choice(FURS), rng, 30))
    pattern = ImageDraw.Draw(filled)
    for _ in range(rng.randint(0, 6)):
        draw_thing(pattern, rng, large, 0.02, 0.15)
    image = Image.composite(filled, image, mask)
    if rng.random() < 0.2:
        over = ImageDraw.Draw(image)
        for _ in range(2):
            draw_thing(over, rng, large, 0.15, 0.4)
    image = light(image, rng).filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8) * SUPERSAMPLING))
    return add_noise(image.resize((size, size), Image.Resampling.BOX), rng)


def write_shapes(folder: Path, counts: Mapping[str, int], seed: int, size: int) -> None:
    """``counts``: split -> pictures, a fifth of them of each kind."""
    kinds = sorted(OUTLINES)
    for split, count in counts.items():
        for number in range(count):
            kind = kinds[number % len(kinds)]
            path = folder / split / kind / f"{number // len(kinds):04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_shape(kind, f"{seed}/{split}/{number}", size).save(path, quality=88)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name, default in (("train", 2000), ("validation", 600), ("seed", 1), ("size", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    counts = {"train": chosen.train, "validation": chosen.validation}
    write_shapes(chosen.out, counts, chosen.seed, chosen.size)


if __name__ == "__main__":
    main()
