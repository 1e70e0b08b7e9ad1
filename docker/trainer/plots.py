"""A matplotlib backend whose ``plt.show()`` saves the figures as PNGs: MPLBACKEND=module://….

The folder is the one that the environment variable RETUNE_PLOTS names.
"""

import itertools
import os
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

_numbers = itertools.count(1)


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:  # noqa: ARG003
        from matplotlib import pyplot
        from matplotlib._pylab_helpers import Gcf

        folder = Path(os.environ.get("RETUNE_PLOTS", "."))
        folder.mkdir(parents=True, exist_ok=True)
        for manager in Gcf.get_all_fig_managers():
            path = folder / f"figure-{next(_numbers)}.png"
            manager.canvas.figure.savefig(path)
            print(f"Saved what plt.show() shows as {path.name}.")
        pyplot.close("all")


class FigureCanvas(FigureCanvasAgg):  # type: ignore[misc]
    manager_class: Any = FigureManager
