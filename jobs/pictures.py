"""Pictures of a study as PNG: accuracy by trial, and the learning curves of each trial.

A picture carries the fingerprint of what it shows, so that a page written anew draws only what
has changed. Matplotlib is imported in the functions that draw: it takes longer to load than all
other work of a job.
"""

import math
from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.environment.spool import Epoch
from jobs.files import write_whole
from jobs.study import StudyView, TrialView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

INK, MUTED, AXIS, GRID = "#1f2933", "#616e7c", "#cbd2d9", "#eceff2"
VALIDATION, TRAINING, LINEAGE = "#2563eb", "#b0b8c1", "#a9c0ee"
BEST, FAILED = "#15803d", "#b91c1c"
DASHES = (0, (4, 4))
MOST_LABELS = 12
"""With more trials than this only those better than all before them carry their accuracy."""


def draw_accuracy(view: StudyView, path: Path) -> None:
    """Write the picture of accuracy by trial unless ``path`` shows the same already."""
    shown = [(t.number, t.state, t.parent, t.objective) for t in view.trials]
    _draw(path, (shown, view.target), lambda mark: accuracy_by_trial(view, mark))


def draw_curves(trial: TrialView, path: Path, *, target: float, floor: float) -> None:
    """Write the learning curves of a trial unless ``path`` shows the same already."""
    shown = ([(e.accuracy, e.val_accuracy) for e in trial.epochs], target, floor)
    _draw(path, shown, lambda mark: learning_curves(trial, target, floor, mark))


def curves_floor(view: StudyView) -> float:
    """Where the accuracy axis of all learning curves starts: they are to be compared.

    In tenths, so that a further trial seldom makes all others be drawn again.
    """
    values = [value for each in view.trials for value in _values(each)]
    return max(0.0, math.floor(10 * min([*values, view.target]) - 0.1) / 10)


def accuracy_by_trial(view: StudyView, mark: str = "") -> bytes:
    """Each trial's validation accuracy, joined to its parent's, with the target's line."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(9.6, 3.5, left=0.72, bottom=0.5)
    measured = {t.number: t.objective for t in view.trials if t.objective is not None}
    _draw_lineages(axes, view, measured)
    _draw_trials(axes, view, measured)
    bounds = [*measured.values(), view.target]
    low, high = max(0.0, min(bounds) - 0.05), min(1.03, max(bounds) + 0.05)
    for each in view.trials:
        if each.state == "failed" and each.objective is None:
            _draw_failure(axes, each.number)
    _draw_target(axes, view.target)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.6, max(view.trials[-1].number if view.trials else 0, 2) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial", color=MUTED, fontsize=9)
    axes.set_ylabel("validation accuracy", color=MUTED, fontsize=9)
    return _png(figure, mark)


def learning_curves(trial: TrialView, target: float, floor: float, mark: str = "") -> bytes:
    """Training and validation accuracy of one trial by epoch, from ``floor`` to 1."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(2.7, 1.75, left=0.38, bottom=0.26)
    curves: tuple[tuple[Callable[[Epoch], float | None], str], ...] = (
        (lambda epoch: epoch.accuracy, TRAINING),
        (lambda epoch: epoch.val_accuracy, VALIDATION),
    )
    for value_of, colour in curves:
        points = [(step, value_of(epoch)) for step, epoch in enumerate(trial.epochs, start=1)]
        known = [(step, value) for step, value in points if _is_known(value)]
        if known:
            marker = "o" if len(known) == 1 else None
            axes.plot(*zip(*known, strict=True), color=colour, linewidth=1.8, marker=marker)
    axes.axhline(target, color=INK, linewidth=0.8, linestyle=DASHES, zorder=1)
    axes.set_ylim(floor, 1.02)
    axes.set_xlim(0.7, max(len(trial.epochs), 2) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    return _png(figure, mark)


def _draw(path: Path, shown: object, draw: Callable[[str], bytes]) -> None:
    # With this file's text, so that pictures of an older version are drawn again.
    mark = sha256(repr(shown).encode() + Path(__file__).read_bytes()).hexdigest()
    if not path.exists() or mark.encode() not in path.read_bytes():
        write_whole(path, draw(mark))


def _draw_lineages(axes: "Axes", view: StudyView, measured: Mapping[int, float]) -> None:
    for each in view.trials:
        if each.parent is None or each.parent not in measured or each.number not in measured:
            continue
        ends = (each.parent, each.number)
        axes.plot(ends, [measured[n] for n in ends], color=LINEAGE, linewidth=1.3, zorder=2)


def _draw_trials(axes: "Axes", view: StudyView, measured: Mapping[int, float]) -> None:
    best = view.best.number if view.best is not None else None
    highest = 0.0
    for number, value in measured.items():
        colour = BEST if number == best else VALIDATION
        axes.scatter([number], [value], s=44, color=colour, zorder=4, linewidths=0)
        if len(measured) <= MOST_LABELS or value > highest:
            axes.annotate(
                f"{value:.3f}",
                (number, value),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                fontweight="bold" if number == best else "normal",
                color=colour,
                path_effects=_halo(),
                zorder=5,
            )
        highest = max(highest, value)


def _draw_failure(axes: "Axes", number: int) -> None:
    """A cross just above the axis, whatever accuracies it shows."""
    place = axes.get_xaxis_transform()
    axes.scatter([number], [0.05], marker="x", s=34, color=FAILED, transform=place, zorder=4)


def _draw_target(axes: "Axes", target: float) -> None:
    axes.axhline(target, color=INK, linewidth=1, linestyle=DASHES, zorder=3)
    axes.annotate(
        f"target {target:g}",
        (0, target),
        xycoords=("axes fraction", "data"),
        xytext=(5, 4),
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
        path_effects=_halo(),
        zorder=5,
    )


def _halo() -> "list[AbstractPathEffect]":
    """Keeps a text readable where a line runs through it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def _values(trial: TrialView) -> list[float]:
    found = [value for each in trial.epochs for value in (each.accuracy, each.val_accuracy)]
    return [each for each in found if each is not None and math.isfinite(each)]


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _figure(width: float, height: float, *, left: float, bottom: float) -> "tuple[Figure, Axes]":
    """A figure and its axes; sizes in inches, ``left`` and ``bottom`` for the labels.

    Margins that are worked out from the labels would take longer than the drawing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160)
    figure.subplots_adjust(
        left=left / width, bottom=bottom / height, right=1 - 0.1 / width, top=1 - 0.12 / height
    )
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(AXIS)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: "Figure", mark: str) -> bytes:
    out = BytesIO()
    # Without the software's name and version the same study gives the same bytes.
    figure.savefig(out, format="png", metadata={"Software": None, "Comment": mark})
    return out.getvalue()
