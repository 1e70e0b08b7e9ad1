"""A reading in words for the terminal, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jobs.source.script import Choices, Hyperparameter, Layer, Place, Range, Reading, Space

_KINDS = {
    "cnn": "a convolutional network",
    "mlp": "a network of dense layers, not a CNN",
    "text": "a network on sequences, not a CNN",
    "recurrent": "a recurrent network, not a CNN",
    "inference": "a script that uses a finished model and trains none",
    "helper": "a file of definitions that trains no model by itself",
    "other": "no Keras CNN",
}


def explain(reading: Reading) -> str:
    """What was seen, and why: paragraphs and aligned columns."""
    lines = [f"{reading.script} is {_KINDS[reading.kind]}."]
    lines += [f"  {reason}" for reason in reading.reasons]
    if reading.input_shape:
        size_note = ", a size that no tweak changes" if reading.is_cnn else ""
        lines.append(f"  It takes images of {_shape(reading.input_shape)}{size_note}.")
    if reading.modules:
        lines.append(f"  It imports {', '.join(reading.modules)}.")
    if reading.layers:
        stack = [(each.name, _shape(each.output_shape), _place(each.place, reading))
                for each in reading.layers]  # fmt: skip
        lines += ["", "Layers, with the shape of what each gives:", *_table(stack)]
    tuned = [each for each in reading.hyperparameters if each.held is None]
    held = [each for each in reading.hyperparameters if each.held is not None]
    if tuned:
        rows = [(each.name, _value(each.value), _space(each.space), _where(each, reading))
                for each in tuned]  # fmt: skip
        lines += ["", "What can be tuned, its value and its search range:", *_table(rows)]
    if held or reading.unread:
        kept = [(each.name, _value(each.value), each.held or "", _where(each, reading))
                for each in held]  # fmt: skip
        kept += [(each.name, each.text, each.held, _place(each.place, reading))
                 for each in reading.unread]  # fmt: skip
        lines += ["", "What is left as it is, and why:", *_table(kept)]
    if reading.data:
        folders = [(each.path, each.use, _place(each.place, reading)) for each in reading.data]
        lines += ["", "Data that it reads:", *_table(folders)]
    images = reading.images
    if images.loader and images.size:
        colour = {1: " in grey", 3: " in colour"}.get(images.channels or 0, "")
        filter_ = f", resampled by {images.interpolation}" if images.interpolation else ""
        size = f"{images.size[0]}×{images.size[1]}"
        lines.append(f"  Images are read by {images.loader} at {size}{colour}{filter_}.")
    return "\n".join(lines)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "?"
    return "×".join("?" if each is None else str(each) for each in shape)


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _space(space: Space) -> str:
    if isinstance(space, Choices):
        return "one of " + ", ".join(str(each) for each in space.options)
    scale = ", logarithmic" if space.log else ""
    return f"{space.low:g} to {space.high:g}{scale}"


def _place(place: Place, reading: Reading) -> str:
    file = "" if place.path == reading.script else f"{place.path}, "
    cell = "" if place.cell is None else f"cell {place.cell}, "
    return f"{file}{cell}line {place.line}"


def _where(each: Hyperparameter, reading: Reading) -> str:
    return _place(each.place, reading) if each.place else ""


def as_json(reading: Reading) -> dict[str, Any]:
    """The same as plain data; ranges are tagged by their fields."""
    return {
        "script": reading.script,
        "kind": reading.kind,
        "is_cnn": reading.is_cnn,
        "trains": reading.trains,
        "loop": reading.loop,
        "reasons": list(reading.reasons),
        "input_shape": None if reading.input_shape is None else list(reading.input_shape),
        "layers": [_layer(each) for each in reading.layers],
        "hyperparameters": {
            each.name: {
                "value": each.value,
                "place": None if each.place is None else asdict(each.place),
                "space": _space_json(each.space),
                "held": each.held,
            }
            for each in reading.hyperparameters
        }
        | {
            each.name: {
                "value": each.text,
                "place": asdict(each.place),
                "space": None,
                "held": each.held,
            }
            for each in reading.unread
        },
        "data": [asdict(each) for each in reading.data],
        "images": asdict(reading.images),
        "modules": list(reading.modules),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    shape = None if layer.output_shape is None else list(layer.output_shape)
    return {
        "name": layer.name,
        "kind": layer.kind,
        "place": asdict(layer.place),
        "output_shape": shape,
    }


def _space_json(space: Space) -> dict[str, Any]:
    if isinstance(space, Range):
        return asdict(space)
    return {"options": list(space.options)}
