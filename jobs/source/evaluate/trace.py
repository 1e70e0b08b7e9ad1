"""What was seen of Keras while a script was followed."""

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from jobs.source.evaluate.values import Const, Data, Fit, Generator, Item, Model, Optimizer, Seq
from jobs.source.files import Site, Source


class Use(NamedTuple):
    """A parameter of a library's call that took a value. ``owner`` is what the call made."""

    owner: Item
    name: str
    call: Site


@dataclass(frozen=True)
class EpochLoop:
    """``for epoch in range(…)``: the loop's site and the number that it runs to."""

    site: Site
    count: Item | None


@dataclass(frozen=True, eq=False)
class Folder:
    """A path from which data is read; ``subset`` names the part that a split takes.

    ``copied``: the script copies or moves files from it, into folders that it reads later.
    """

    path: Const
    subset: str | None
    archive: bool
    copied: bool


@dataclass
class Trace:
    """Everything that later steps need to know; in the order in which it was seen."""

    models: list[Model] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    optimizers: list[Optimizer] = field(default_factory=list)
    generators: list[Generator] = field(default_factory=list)
    loads: list[Data] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    libraries: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)
    uses: dict[Site, list[Use]] = field(default_factory=lambda: defaultdict(list))
    epoch_loops: list[EpochLoop] = field(default_factory=list)
    ranges: dict[Site, Item] = field(default_factory=dict)
    tape: bool = False
    batch_trained: list[Model] = field(default_factory=list)
    loaded: bool = False
    predicted: bool = False
    called: set[int] = field(default_factory=set)
    channels_first: bool = False
    flags: dict[str, Item] = field(default_factory=dict)

    def folder(
        self,
        path: Const,
        subset: str | None = None,
        archive: bool = False,
        copied: bool = False,
    ) -> None:
        """Record a path from which data is read."""
        self.folders.append(Folder(path, subset, archive, copied))

    def use(self, value: Item, use: Use) -> None:
        """Record that a parameter took ``value``, with all that the value was made from."""
        for site in {*value.trail, *value.deps}:
            self.uses[site].append(use)
        if isinstance(value, Seq) and len(value.items) <= 16:
            for each in value.items:
                self.use(each, use)

    def loop(self, node: ast.For | ast.AsyncFor, source: Source, items: list[Item] | None) -> None:
        """Remember loops over epochs: a script may train by hand."""
        target = node.target
        name = target.id if isinstance(target, ast.Name) else ""
        if "epoch" not in name.lower():
            return
        count = self.ranges.get(source.site(node.iter))
        if count is None and items is not None:
            count = Const(value=len(items))
        self.epoch_loops.append(EpochLoop(source.site(node), count))
