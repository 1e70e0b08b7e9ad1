"""Draws cats' and dogs' faces: a small data set for the demo that takes some learning.

    python -m model.faces OUT --train 1200 --validation 400 --test 400 --seed 1 --size 64

writes ``OUT/<split>/<cats|dogs>/<class>.<number>.jpg``. The two kinds share fur colours, fur
patterns, backgrounds, light, pose and picture quality, and each single trait (ears, muzzle, eyes,
whiskers, tongue) is found in both, only not equally often. The same seed gives the same pictures.
"""

import argparse
import io
import math
import multiprocessing
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from model.scenery import (
    FURS,
    Colour,
    Point,
    add_noise,
    clip,
    draw_scene,
    draw_thing,
    light,
    oval,
    shade,
    tint,
)

CLASSES = ("cats", "dogs")
SUPERSAMPLING = 2

IRISES: tuple[Colour, ...] = (
    (92, 60, 34),
    (60, 40, 28),
    (150, 110, 40),
    (120, 140, 60),
    (90, 130, 160),
    (40, 34, 30),
)
PINK: Colour = (206, 120, 122)
DARK: Colour = (30, 24, 24)
PATTERNS = ("plain", "plain", "stripes", "spots", "patch", "mask", "blaze")


@dataclass(frozen=True)
class Traits:
    """What a face looks like; lengths in head radii, angles in radians, the rest 0 to 1."""

    head_width: float
    ear: str
    ear_length: float
    ear_width: float
    ear_spread: float
    muzzle_width: float
    muzzle_length: float
    muzzle_height: float
    nose: float
    eye: float
    eye_gap: float
    slit: float
    eye_slant: float
    whiskers: bool
    tongue: bool


def draw_traits(kind: str, rng: random.Random) -> Traits:
    """The anatomy of one animal: where cats and dogs differ, their ranges overlap."""
    cat = kind == "cats"

    def lean(cats: float, dogs: float, spread: float) -> float:
        return rng.gauss(cats if cat else dogs, spread)

    ear = rng.choices(
        ("upright", "folded", "hanging"),
        weights=(0.86, 0.09, 0.05) if cat else (0.15, 0.20, 0.65),
    )[0]
    return Traits(
        head_width=clip(lean(1.04, 0.96, 0.08), 0.8, 1.25),
        ear=ear,
        ear_length=clip(lean(0.78, 0.84, 0.14), 0.45, 1.2),
        ear_width=clip(lean(0.62, 0.58, 0.10), 0.35, 0.9),
        ear_spread=clip(lean(0.62, 0.68, 0.10), 0.4, 0.95),
        muzzle_width=clip(lean(0.42, 0.55, 0.08), 0.28, 0.75),
        muzzle_length=clip(lean(0.25, 0.70, 0.16), 0.1, 1.0),
        muzzle_height=clip(lean(0.32, 0.44, 0.08), 0.2, 0.65),
        nose=clip(lean(0.12, 0.20, 0.035), 0.08, 0.3),
        eye=clip(lean(0.21, 0.16, 0.03), 0.1, 0.3),
        eye_gap=clip(lean(0.44, 0.40, 0.05), 0.28, 0.6),
        slit=clip(lean(0.45, 0.85, 0.25), 0.2, 1.0),
        eye_slant=clip(lean(0.25, 0.0, 0.2), -0.4, 0.6),
        whiskers=rng.random() < (0.75 if cat else 0.15),
        tongue=rng.random() < (0.08 if cat else 0.22),
    )


class Pose:
    """Head coordinates (x right, y down, depth towards the viewer) to pixels."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.radius = size * rng.uniform(0.27, 0.36)
        margin = size * 0.5 - self.radius
        self.x = size / 2 + rng.uniform(-0.5, 0.5) * margin
        self.y = size * 0.53 + rng.uniform(-0.4, 0.4) * margin
        roll = clip(rng.gauss(0, 0.17), -0.5, 0.5)
        yaw = clip(rng.gauss(0, 0.28), -0.7, 0.7)
        pitch = clip(rng.gauss(0.03, 0.16), -0.35, 0.4)
        self.cos, self.sin = math.cos(roll), math.sin(roll)
        self.yaw_cos, self.yaw_sin = math.cos(yaw), math.sin(yaw)
        self.pitch_cos, self.pitch_sin = math.cos(pitch), math.sin(pitch)

    def __call__(self, x: float, y: float, depth: float = 0.0) -> Point:
        turned = x * self.yaw_cos + depth * self.yaw_sin
        nodded = y * self.pitch_cos + depth * self.pitch_sin
        return (
            self.x + self.radius * (turned * self.cos - nodded * self.sin),
            self.y + self.radius * (turned * self.sin + nodded * self.cos),
        )


class Face:
    """One animal's head, drawn part by part from the back to the front."""

    def __init__(self, image: Image.Image, kind: str, rng: random.Random) -> None:
        self.image, self.rng = image, rng
        self.draw = ImageDraw.Draw(image)
        self.pose = Pose(rng, image.width)
        self.traits = draw_traits(kind, rng)
        self.fur = tint(rng.choice(FURS), rng)
        self.second = tint(rng.choice(FURS), rng)
        self.pattern = rng.choice(PATTERNS)

    def paint(self) -> None:
        self._neck()
        upright = self.traits.ear == "upright"
        if upright:
            self._ears()
        self._head()
        if not upright:
            self._ears()
        self._eyes()
        self._muzzle()

    def _fill(self, points: Iterable[Point], colour: Colour, depth: float = 0.0) -> None:
        self.draw.polygon([self.pose(x, y, depth) for x, y in points], fill=colour)

    def _line(self, points: Sequence[Point], colour: Colour, width: float, depth: float) -> None:
        self.draw.line(
            [self.pose(x, y, depth) for x, y in points],
            fill=colour,
            width=max(1, round(width * self.pose.radius)),
        )

    def _neck(self) -> None:
        width = self.rng.uniform(0.6, 1.0)
        colour = shade(self.fur, self.rng.uniform(0.7, 0.95))
        self._fill([(-width, 0.3), (width, 0.3), (width * 1.5, 4), (-width * 1.5, 4)], colour, -0.5)

    def _ears(self) -> None:
        traits = self.traits
        inner = tint(self.rng.choice((PINK, self.fur, shade(self.fur, 0.6))), self.rng, 10)
        colour = self.second if self.rng.random() < 0.3 else shade(self.fur, 0.85)
        for side in (-1, 1):
            x, half = side * traits.ear_spread * traits.head_width, traits.ear_width / 2
            tip = side * self.rng.uniform(-0.02, 0.16)
            length = traits.ear_length
            if traits.ear == "upright":
                outline = [(x - half, -0.5), (x + tip, -0.72 - length), (x + half, -0.45)]
                hollow = [
                    (x - half * 0.5, -0.6),
                    (x + tip, -0.72 - length * 0.65),
                    (x + half * 0.5, -0.58),
                ]
                self._fill(outline, colour, -0.1)
                self._fill(hollow, inner, -0.05)
            elif traits.ear == "folded":
                top = -0.72 - length * 0.35
                self._fill([(x - half, -0.5), (x + tip, top - 0.12), (x + half, -0.45)], colour)
                flap = [
                    (x - half * 0.7, -0.72),
                    (x + tip, top - 0.12),
                    (x + half * 0.9, -0.68),
                    (x + side * half * 0.8, -0.25),
                ]
                self._fill(flap, shade(colour, 0.8), 0.25)
            else:
                outer = side * (abs(x) + 0.18)
                self._fill(
                    oval(outer, -0.35 + length * 0.55, half * 0.9, length * 0.75, -side * 0.2),
                    colour,
                    0.1,
                )

    def _head(self) -> None:
        traits, rng = self.traits, self.rng
        self._fill(oval(0, 0, traits.head_width, 0.95), self.fur)
        if rng.random() < 0.35:
            for side in (-1, 1):
                x = side * traits.head_width
                tuft = [(x * 0.7, 0.1), (x * rng.uniform(1.1, 1.3), 0.45), (x * 0.6, 0.75)]
                self._fill(tuft, self.fur)
        if self.pattern == "stripes":
            for x in (-0.45, -0.15, 0.15, 0.45):
                end = x * 0.75 + rng.gauss(0, 0.03)
                self._line([(x, -0.85), (end, -0.4)], self.second, 0.09, 0.35)
            for side in (-1, 1):
                for y in (0.2, 0.42):
                    self._line([(side * 0.9, y), (side * 0.6, y + 0.02)], self.second, 0.07, 0.3)
        elif self.pattern == "spots":
            for _ in range(rng.randint(4, 9)):
                x, y, radius = (
                    rng.uniform(-0.7, 0.7),
                    rng.uniform(-0.7, 0.7),
                    rng.uniform(0.06, 0.15),
                )
                spot = oval(x, y, radius, radius)
                self._fill(spot, self.second, 0.2)
        elif self.pattern == "patch":
            side = rng.choice((-1, 1))
            self._fill(oval(side * 0.42, -0.2, 0.42, 0.45), self.second, 0.3)
        elif self.pattern == "mask":
            self._fill(oval(0, 0.35, 0.68 * traits.head_width, 0.58), self.second, 0.2)
        elif self.pattern == "blaze":
            self._fill([(-0.1, -0.9), (0.1, -0.9), (0.28, 0.4), (-0.28, 0.4)], self.second, 0.35)

    def _eyes(self) -> None:
        traits, rng = self.traits, self.rng
        iris = tint(rng.choice(IRISES), rng)
        closed = rng.random() < 0.08
        for side in (-1, 1):
            x, slant = side * traits.eye_gap, -side * traits.eye_slant
            if closed:
                arc = [(x - 0.16, -0.15), (x, -0.08), (x + 0.16, -0.15)]
                self._line(arc, DARK, 0.06, 0.6)
                continue
            eye = traits.eye
            self._fill(oval(x, -0.15, eye * 1.15, eye * 0.95, slant), DARK, 0.6)
            self._fill(oval(x, -0.15, eye * 0.98, eye * 0.8, slant), iris, 0.62)
            self._fill(oval(x, -0.15, eye * 0.6 * traits.slit, eye * 0.7), DARK, 0.63)
            if rng.random() < 0.7:
                glint = oval(x + 0.06, -0.21, 0.045, 0.045, steps=8)
                self._fill(glint, (245, 245, 245), 0.64)

    def _muzzle(self) -> None:
        traits, rng = self.traits, self.rng
        front = 0.7 + traits.muzzle_length
        colour = rng.choice((self.fur, shade(self.fur, 1.12), shade(self.fur, 0.8), self.second))
        width, height = traits.muzzle_width, traits.muzzle_height
        steps = 5
        for step in range(steps + 1):
            share = step / steps
            narrow = 1 - 0.25 * share
            lit = shade(colour, 0.9 + 0.1 * share)
            depth = 0.5 + (front - 0.5) * share
            self._fill(oval(0, 0.42, width * narrow, height * narrow), lit, depth)
        nose = tint(rng.choice((DARK, DARK, (92, 58, 52), PINK)), rng, 8)
        top = 0.42 - height * 0.45
        size = traits.nose
        self._fill(
            [(-size, top - size * 0.5), (size, top - size * 0.5), (size * 0.4, top + size * 0.5),
             (-size * 0.4, top + size * 0.5)],
            nose,
            front + 0.05,
        )  # fmt: skip
        lip = shade(colour, 0.45)
        mouth = top + size * 0.5 + 0.12
        self._line([(0, top + size * 0.4), (0, mouth)], lip, 0.04, front)
        corner = width * 0.55
        self._line([(-corner, mouth + 0.02), (0, mouth), (corner, mouth + 0.02)], lip, 0.04, front)
        if traits.tongue:
            self._fill(oval(0, mouth + 0.16, 0.12, 0.18), tint(PINK, rng, 8), front)
        if traits.whiskers:
            hair = rng.choice(((240, 240, 236), (60, 56, 54)))
            for side in (-1, 1):
                for rise in (-0.12, 0.0, 0.12):
                    reach = rng.uniform(0.7, 1.15)
                    ends = [(side * 0.22, 0.42 + rise * 0.5), (side * reach, 0.38 + rise * 2)]
                    self._line(ends, hair, 0.02, front - 0.15)


def draw_face(kind: str, seed: str, size: int) -> Image.Image:
    """A picture of ``size`` × ``size`` pixels; ``kind`` is ``cats`` or ``dogs``."""
    rng = random.Random(seed)
    large = size * SUPERSAMPLING
    image = draw_scene(rng, large)
    Face(image, kind, rng).paint()
    draw = ImageDraw.Draw(image)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        draw_thing(draw, rng, large, 0.05, 0.25)
    image = light(image, rng)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.6) * SUPERSAMPLING))
    image = image.resize((size, size), Image.Resampling.BOX)
    return add_noise(image, rng)


def _encode(kind: str, seed: str, size: int) -> bytes:
    content = io.BytesIO()
    quality = random.Random(f"{seed}/quality").randint(55, 92)
    draw_face(kind, seed, size).save(content, "JPEG", quality=quality)
    return content.getvalue()


def _write(task: tuple[Path, str, str, int]) -> None:
    path, kind, seed, size = task
    path.write_bytes(_encode(kind, seed, size))


def write_faces(folder: Path, counts: dict[str, int], seed: int, size: int) -> int:
    """Write ``counts`` (split -> pictures, half of them cats) below ``folder``; gives the total.

    A split of no pictures gets no folder.
    """
    tasks = []
    for split, count in counts.items():
        for kind in CLASSES if count else ():
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = CLASSES[number % 2]
            path = folder / split / kind / f"{kind.rstrip('s')}.{number // 2:04d}.jpg"
            tasks.append((path, kind, f"{seed}/{split}/{number}", size))
    with multiprocessing.Pool() as pool:
        for _ in pool.imap_unordered(_write, tasks, chunksize=32):
            pass
    return len(tasks)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m model.faces", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--train", type=int, default=1400, metavar="N", help="pictures (1400)")
    parser.add_argument("--validation", type=int, default=400, metavar="N", help="pictures (400)")
    parser.add_argument("--test", type=int, default=400, metavar="N", help="pictures (400)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another one, other faces")
    parser.add_argument("--size", type=int, default=64, metavar="PIXELS", help="width and height")
    chosen = parser.parse_args(arguments)
    counts = {each: getattr(chosen, each) for each in ("train", "validation", "test")}
    total = write_faces(chosen.out, counts, chosen.seed, chosen.size)
    print(f"{total} faces in {chosen.out}")


if __name__ == "__main__":
    main()
