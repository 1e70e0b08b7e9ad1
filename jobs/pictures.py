"""Pictures of a study as PNG: accuracy by trial, and the learning curves of the trials."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from jobs.study import StudyView, TrialView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
VALIDATION, TRAINING, BEST, FAILED = "#2563eb", "#9aa5b1", "#15803d", "#b91c1c"
MOST_CURVES, COLUMNS = 24, 4


def accuracy_by_trial(view: StudyView) -> bytes:
    """Each trial's validation accuracy, joined to its parent's, with the target's line."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(9.0, 3.4)
    measured = {t.number: t.objective for t in view.trials if t.objective is not None}
    for each in view.trials:
        if each.number in measured and each.parent is not None and each.parent in measured:
            axes.plot(
                [each.parent, each.number],
                [measured[each.parent], measured[each.number]],
                color=GRID,
                linewidth=1.5,
                zorder=1,
            )
    best = view.best
    for number, value in measured.items():
        colour = BEST if best is not None and number == best.number else VALIDATION
        axes.scatter([number], [value], s=46, color=colour, zorder=3)
        axes.annotate(
            f"{value:.3f}",
            (number, value),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=colour,
        )
    floor = min(measured.values(), default=0.5)
    low = max(0.0, min(floor, view.target) - 0.06)
    for each in view.trials:
        if each.state == "failed" and each.objective is None:
            axes.scatter([each.number], [low + 0.01], marker="x", color=FAILED, zorder=3)
    axes.axhline(view.target, color=INK, linewidth=1, linestyle=(0, (4, 4)), zorder=2)
    axes.annotate(
        f"target {view.target:g}",
        (1, view.target),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=INK,
    )
    ceiling = max(measured.values(), default=0.5)
    axes.set_ylim(low, min(1.02, max(ceiling, view.target) + 0.06))
    axes.set_xlim(-0.6, max(len(view.trials) - 0.4, 1.6))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial", color=MUTED, fontsize=9)
    axes.set_ylabel("validation accuracy", color=MUTED, fontsize=9)
    return _png(figure)


def learning_curves(view: StudyView) -> bytes | None:
    """Training and validation accuracy by epoch, a small chart a trial; None without any epoch."""
    shown = [each for each in view.trials if each.epochs][-MOST_CURVES:]
    if not shown:
        return None
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(2.6 * columns if columns > 1 else 4.0, 2.1 * rows), dpi=110)
    low = min((value for each in shown for value in _values(each)), default=0.0)
    for index, each in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        _style(axes)
        _draw_curves(axes, each, view.target)
        axes.set_ylim(max(0.0, low - 0.05), 1.02)
    axes = figure.axes[0]
    axes.legend(loc="lower right", fontsize=7, frameon=False)
    return _png(figure)


def _draw_curves(axes: "Axes", trial: TrialView, target: float) -> None:
    from matplotlib.ticker import MaxNLocator

    steps = range(1, len(trial.epochs) + 1)
    train = [each.accuracy for each in trial.epochs]
    validation = [each.val_accuracy for each in trial.epochs]
    marker = "o" if len(trial.epochs) == 1 else None
    for values, colour, name in (
        (train, TRAINING, "training"),
        (validation, VALIDATION, "validation"),
    ):
        points = [(x, y) for x, y in zip(steps, values, strict=True) if y is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=name, marker=marker)
    axes.axhline(target, color=INK, linewidth=0.8, linestyle=(0, (4, 4)))
    title = f"trial {trial.number}"
    if trial.objective is not None:
        title += f"  ·  {trial.objective:.3f}"
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _values(trial: TrialView) -> Sequence[float]:
    found = [each.accuracy for each in trial.epochs] + [each.val_accuracy for each in trial.epochs]
    return [each for each in found if each is not None]


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    # Imported here: Matplotlib takes longer to load than all other work of a job.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110)
    axes = figure.add_subplot()
    _style(axes)
    return figure, axes


def _style(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=8, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _png(figure: "Figure") -> bytes:
    figure.tight_layout()
    out = BytesIO()
    # Without the software's name and version the same study gives the same bytes.
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
