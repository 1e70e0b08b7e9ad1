"""A tweak in words."""

import re
from collections.abc import Mapping

from jobs.source.script import Value

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
             "tenth")  # fmt: skip
_PHRASES = {
    "optimizer.learning_rate": "learning rate",
    "optimizer.name": "optimizer",
    "optimizer.weight_decay": "weight decay",
    "fit.epochs": "epochs",
    "fit.batch_size": "batch size",
}
_CONVOLUTION = re.compile(r"conv(\d+)\.(filters|kernel_size)")
_LAYER = re.compile(r"(conv|dense)(\d+)\.(filters|kernel_size|units)")


def describe(before: Mapping[str, Value], after: Mapping[str, Value]) -> str:
    """One phrase of what differs, structure first; "no change" where nothing does.

    A name that is in ``after`` alone is new; one that is in ``before`` alone went with its block.
    """
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    phrases = [*_blocks(before, changed)]
    if "batch_norm" in changed:
        phrases.append(f"{'with' if changed.pop('batch_norm') else 'without'} batch normalisation")
    if "augmentation" in changed:
        old, new = before.get("augmentation"), changed.pop("augmentation")
        phrases.append(f"augmentation {old} → {new}" if old is not None else f"augmentation {new}")
    if "optimizer.use_ema" in changed:
        phrases.append(
            f"{'with' if changed.pop('optimizer.use_ema') else 'without'} averaged weights"
        )
    if "fit.reduce_lr_on_plateau" in changed:
        less = "" if changed.pop("fit.reduce_lr_on_plateau") else "no longer "
        phrases.append(f"learning rate {less}reduced on plateaus")
    for name, value in changed.items():
        phrases.append(_phrase(name, before.get(name), value))
    return ", ".join(phrases) or "no change"


def _blocks(before: Mapping[str, Value], changed: dict[str, Value]) -> list[str]:
    """New blocks with what is known of them, or the blocks that are gone."""
    if "blocks" not in changed:
        return []
    old, new = before.get("blocks"), changed.pop("blocks")
    if not isinstance(old, int) or not isinstance(new, int):
        return [f"{new} blocks"]
    if new < old:
        gone = [_ordinal(number) for number in range(new + 1, old + 1)]
        return [f"without the {' and the '.join(gone)} block"]
    fresh: dict[int, dict[str, Value]] = {}
    for name in list(changed):
        found = _CONVOLUTION.fullmatch(name)
        if found and name not in before:
            fresh.setdefault(int(found[1]), {})[found[2]] = changed.pop(name)
    details = [fresh[number] for number in sorted(fresh)]
    phrases = []
    for index, number in enumerate(range(old + 1, new + 1)):
        known = details[index] if index < len(details) else {}
        parts = []
        if "filters" in known:
            parts.append(f"{known['filters']} filters")
        if "kernel_size" in known:
            parts.append(f"{known['kernel_size']}×{known['kernel_size']}")
        text = f" ({', '.join(parts)})" if parts else ""
        phrases.append(f"{_ordinal(number)} block{text}")
    return phrases


def _ordinal(number: int) -> str:
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"


def _phrase(name: str, old: Value | None, new: Value) -> str:
    found = _LAYER.fullmatch(name)
    if found:
        label = f"{found[1]}{found[2]} {found[3].replace('_', ' ')}"
    else:
        label = _PHRASES.get(name, name)
    unit = "×" if name.endswith("kernel_size") else ""
    shown = _shown(new, unit)
    return f"{label} {shown}" if old is None else f"{label} {_shown(old, unit)} → {shown}"


def _shown(value: Value, unit: str) -> str:
    if unit and isinstance(value, int):
        return f"{value}×{value}"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
