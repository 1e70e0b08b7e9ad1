"""What surrounds a demo face: colours, backgrounds, things in the way, light and noise."""

import math
import random
from collections.abc import Iterator

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]

FURS: tuple[Colour, ...] = (
    (38, 34, 33),
    (86, 80, 78),
    (142, 136, 132),
    (228, 222, 212),
    (198, 128, 66),
    (160, 98, 52),
    (104, 66, 40),
    (216, 178, 128),
    (182, 150, 116),
    (122, 112, 100),
)


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def tint(colour: Colour, rng: random.Random, spread: float = 18) -> Colour:
    lift = rng.gauss(0, spread)
    red, green, blue = (round(clip(c + lift + rng.gauss(0, 5), 0, 255)) for c in colour)
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (round(clip(c * factor, 0, 255)) for c in colour)
    return red, green, blue


def _any_colour(rng: random.Random) -> Colour:
    grey = rng.uniform(40, 220)
    red, green, blue = (round(clip(grey + rng.gauss(0, 32), 0, 255)) for _ in range(3))
    return red, green, blue


def oval(
    x: float, y: float, width: float, height: float, slant: float = 0.0, steps: int = 22
) -> Iterator[Point]:
    """The outline of an ellipse with the given half axes, turned by ``slant`` radians."""
    cos, sin = math.cos(slant), math.sin(slant)
    for step in range(steps):
        angle = 2 * math.pi * step / steps
        across, down = width * math.cos(angle), height * math.sin(angle)
        yield x + across * cos - down * sin, y + across * sin + down * cos


def draw_scene(rng: random.Random, size: int) -> Image.Image:
    """A background: a gradient between two colours, and things that stand about."""
    low, high = _any_colour(rng), _any_colour(rng)
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize((size, size))
    image = Image.composite(
        Image.new("RGB", (size, size), low), Image.new("RGB", (size, size), high), ramp
    )
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(2, 8)):
        draw_thing(draw, rng, size, 0.05, 0.4)
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.03) * size))


def draw_thing(
    draw: ImageDraw.ImageDraw, rng: random.Random, size: int, low: float, high: float
) -> None:
    """Clutter: an oval, a box, a triangle like an ear, or a bar."""
    x, y = rng.uniform(-0.1, 1.1) * size, rng.uniform(-0.1, 1.1) * size
    width, height = rng.uniform(low, high) * size, rng.uniform(low, high) * size
    colour = _any_colour(rng) if rng.random() < 0.6 else tint(rng.choice(FURS), rng)
    shape = rng.randrange(4)
    if shape == 0:
        draw.polygon(list(oval(x, y, width / 2, height / 2, rng.uniform(0, 3))), fill=colour)
    elif shape == 1:
        draw.rectangle((x, y, x + width, y + height), fill=colour)
    elif shape == 2:
        corners = [(x + rng.gauss(0, width), y + rng.gauss(0, height)) for _ in range(3)]
        draw.polygon(corners, fill=colour)
    else:
        end = (x + rng.gauss(0, 0.5) * size, y + rng.gauss(0, 0.5) * size)
        draw.line((x, y, *end), fill=colour, width=max(1, round(rng.uniform(0.01, 0.05) * size)))


def light(image: Image.Image, rng: random.Random) -> Image.Image:
    """Light from one side, its colour, and over- or underexposure."""
    ramp = Image.linear_gradient("L").rotate(rng.uniform(0, 360)).crop((38, 38, 218, 218))
    ramp = ramp.resize(image.size)
    weak = rng.uniform(0.45, 1.0)
    ramp = ramp.point([round(255 * weak + (1 - weak) * value) for value in range(256)])
    lit = ImageChops.multiply(image, Image.merge("RGB", (ramp, ramp, ramp)))
    exposure, contrast = rng.uniform(0.85, 1.35), rng.uniform(0.7, 1.15)
    table: list[int] = []
    for _ in range(3):
        gain = exposure * rng.gauss(1, 0.08)
        table += [round(clip(128 + (v * gain - 128) * contrast, 0, 255)) for v in range(256)]
    return lit.point(table)


def add_noise(image: Image.Image, rng: random.Random) -> Image.Image:
    amount = rng.uniform(0, 9)
    noise = [
        Image.frombytes("L", image.size, rng.randbytes(image.width * image.height)).point(
            [round(128 + (value - 128) / 128 * amount * 1.7) for value in range(256)]
        )
        for _ in range(3)
    ]
    return ImageChops.add(image, Image.merge("RGB", noise), scale=1, offset=-128)
