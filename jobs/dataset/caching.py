"""The images as the script's loader would make them, made once instead of at every epoch.

A cached data set has the same files under the same names in the same folders. Where the loader's
own decoding, conversion and resizing can be done beforehand with the same result bit for bit, a
file's content is a PNG of the finished image: Pillow and TensorFlow go by content and not by name.
Everything else is the original file.

TensorFlow's JPEG decoder differs from Pillow's, and its resizing gives fractions, so for
``image_dataset_from_directory`` and its like the originals are kept; of those, the trainer keeps
what TensorFlow makes of them.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from filelock import FileLock
from PIL import Image

from jobs.dataset.checking import Check, Picture, Progress
from jobs.dataset.decoding import decoded
from jobs.dataset.mapping import Deal
from jobs.errors import RetuneError
from jobs.source.script import ImageLoading

FINISHED_BYTES = 256 * 1024**2
"""Of finished images that wait in memory for the cache to be built."""
VERSION = 1
"""Raised when the same data set would be cached with other contents."""
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_KERAS_LOADERS = ("flow_from_directory", "flow_from_dataframe", "load_img")
_SPARE = 64 * 1024**2


@dataclass(frozen=True)
class Recipe:
    """What a loader does with every image: size is (width, height) as Pillow has it.

    ``mode`` is what it converts to before it resizes; None: it leaves the image's own.
    """

    size: tuple[int, int]
    filter: str
    mode: str | None

    def applies_to(self, picture: Picture | Image.Image) -> bool:
        """Whether the finished image can stand in for the file, and is worth it."""
        width, height = picture.size
        if width * height <= self.size[0] * self.size[1]:
            return False
        if self.mode is None:
            return picture.mode in ("RGB", "L")
        return self.mode != "L" or not picture.mode.startswith("I")

    def apply(self, image: Image.Image) -> bytes:
        """The content of the finished file: uncompressed, as reading it back is what it is for."""
        ready = image if self.mode in (None, image.mode) else image.convert(self.mode)
        content = io.BytesIO()
        ready.resize(self.size, _FILTERS[self.filter]).save(content, "PNG", compress_level=0)
        return content.getvalue()


class Finished:
    """Finished images by their originals' digest, made while a check has these decoded anyway.

    They are kept in memory, up to ``FINISHED_BYTES`` of them; the cache makes the others itself.
    """

    def __init__(self, images: ImageLoading) -> None:
        self._recipe = recipe_for(images)
        self._contents: dict[str, bytes] = {}
        self._room = FINISHED_BYTES

    def see(self, digest: str, image: Image.Image) -> None:
        if self._recipe is None or self._room <= 0 or not self._recipe.applies_to(image):
            return
        with suppress(Exception):  # What goes wrong, whatever it is, shows where it is needed.
            content = self._recipe.apply(image)
            self._contents[digest] = content
            self._room -= len(content)

    def content(self, digest: str) -> bytes | None:
        return self._contents.get(digest)


def recipe_for(images: ImageLoading) -> Recipe | None:
    """What can be done beforehand for this loader; None where nothing can."""
    if images.size is None or images.loader is None:
        return None
    height, width = images.size
    loader = images.loader.rpartition(".")[2]
    if loader in _KERAS_LOADERS:
        mode = _MODES.get(images.channels or 3)
        chosen = images.interpolation or "nearest"
        return Recipe((width, height), chosen, mode) if mode and chosen in _FILTERS else None
    # A script of its own may convert, crop and resize in any order. To take pixels and to convert
    # them is the same in any order; to mix them is not.
    if loader == "PIL" and images.interpolation == "nearest":
        return Recipe((width, height), "nearest", None)
    return None


def cache(
    check: Check,
    images: ImageLoading,
    home: Path,
    progress: Progress | None = None,
    finished: Finished | None = None,
) -> Path:
    """The folder that the script's data set is to be: the data set itself, or a view of it.

    The same check and loading give the same folder, which is built once, whoever asks first.
    ``finished``: what was made for the same loading when the check saw the images.

    Raises RetuneError where the disk is too small or the cache cannot be written.
    """
    root = check.source.root
    assert root is not None
    recipe = recipe_for(images)
    resized = {
        each.place: each.digest
        for each in check.pictures
        if recipe is not None and recipe.applies_to(each)
    }
    if not (
        resized
        or check.broken
        or check.untidy
        or check.source.deals
        or check.source.renamed
        or check.source.origin == "repository"
    ):
        return root
    folder = home / "cache" / "images"
    key = _key(check, recipe if resized else None)
    target = folder / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{key}.lock"):
            if not target.is_dir():
                view = _View(check)
                _check_space(check, recipe, resized, folder)

                def content(place: str) -> bytes | None:
                    if recipe is None or place not in resized:
                        return None
                    known = finished.content(resized[place]) if finished is not None else None
                    return known or _made(root / place, recipe)

                _build(view, root, content, target, progress or (lambda _done, _of: None))
            os.utime(target)
    except OSError as error:
        raise RetuneError(
            f"The cached images of {check.source.name} cannot be written to {folder} "
            f"({error.strerror or error})."
        ) from error
    return target


def _key(check: Check, recipe: Recipe | None) -> str:
    deals = [asdict(deal) for deal in check.source.deals]
    renamed = dict(check.source.renamed)
    content = [VERSION, check.fingerprint, deals, renamed, asdict(recipe) if recipe else None]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


class _View:
    """Where each file of the data set is in the view."""

    def __init__(self, check: Check) -> None:
        self.folders: set[str] = set()
        self.places: dict[str, str] = {}
        self._taken: set[str] = set()
        self._source = check.source
        dealt: set[str] = set()
        for deal in check.source.deals:
            for source in deal.sources:
                dealt.update(self._deal(check, deal, source))
        for place in (*[each.place for each in check.pictures], *check.others):
            if place not in dealt:
                self._put(place, place)
        self.folders.update(
            check.source.in_view(place)
            for place in check.folders
            if not any(_below(s, place) is not None for d in check.source.deals for s in d.sources)
        )

    def _deal(self, check: Check, deal: Deal, source: str) -> Iterator[str]:
        classes: dict[str, list[Picture]] = defaultdict(list)
        for picture in check.pictures:
            below = _below(source, picture.place)
            if below is not None:
                classes[below.rpartition("/")[0]].append(picture)
        for pictures in classes.values():
            for picture, share in _dealt(pictures, deal):
                self._put(picture.place, f"{share}/{_below(source, picture.place)}")
                yield picture.place
        first = next(iter(deal.shares))
        for place in check.others:
            below = _below(source, place)
            if below is not None:
                self._put(place, f"{first}/{below}")
                yield place
        for folder in check.folders:
            below = _below(source, folder)
            if below:
                below = check.source.in_view(below)
                self.folders.update(f"{share}/{below}" for share in deal.shares)

    def _put(self, original: str, place: str) -> None:
        """Two folders put together may hold files of the same name."""
        folder, _, name = place.rpartition("/")
        place = f"{self._source.in_view(folder)}/{name}" if folder else name
        stem, suffix = os.path.splitext(place)
        number = 1
        while place in self._taken:
            number += 1
            place = f"{stem}-{number}{suffix}"
        self.places[original] = place
        self._taken.add(place)


def _below(folder: str, place: str) -> str | None:
    """The place as seen from the folder; None where it lies elsewhere."""
    if not folder or place == folder:
        return place if not folder else ""
    return place[len(folder) + 1 :] if place.startswith(f"{folder}/") else None


def _dealt(pictures: Sequence[Picture], deal: Deal) -> Iterator[tuple[Picture, str]]:
    """Deal the images of one class by content, so that copies of an image stay together.

    Every place gets at least one where there are enough.
    """
    ordered = sorted(pictures, key=lambda each: (each.digest, each.place))
    copies = [list(group) for _, group in groupby(ordered, key=lambda each: each.digest)]
    first, *others = deal.shares
    remaining = {place: max(1, round(deal.shares[place] * len(pictures))) for place in others}
    for position, group in enumerate(copies):
        left = len(copies) - position
        open_places = [place for place in others if remaining[place] > 0]
        place = open_places[0] if open_places and left > 1 else first
        if place != first:
            remaining[place] -= len(group)
        yield from ((picture, place) for picture in group)


def _check_space(
    check: Check, recipe: Recipe | None, resized: Collection[str], folder: Path
) -> None:
    root = check.source.root
    assert root is not None
    needed = _SPARE
    if recipe is not None:
        width, height = recipe.size
        needed += len(resized) * (width * height * len(recipe.mode or "RGB") + 4096)
    if root.stat().st_dev != folder.stat().st_dev:
        kept = [each.place for each in check.pictures if each.place not in resized]
        needed += sum((root / place).stat().st_size for place in (*kept, *check.others))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RetuneError(
            f"The cached images of {check.source.name} need {needed / 1024**2:,.0f} MiB below "
            f"{folder}, where {free / 1024**2:,.0f} MiB are free; make room or move RETUNE_HOME."
        )


def _made(original: Path, recipe: Recipe) -> bytes | None:
    """The content of the finished image; None where Pillow cannot make it, which the script meets
    itself."""
    with suppress(Exception), original.open("rb") as file, decoded(file) as image:
        return recipe.apply(image)
    return None


def _build(
    view: _View,
    root: Path,
    content: Callable[[str], bytes | None],
    target: Path,
    progress: Progress,
) -> None:
    """Build aside and rename, so that whoever sees the folder sees all of it.

    ``content``: that of a finished image by its original's place; None where the original stays.
    """
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        partial.chmod(0o755)
        for folder in view.folders | {p.rpartition("/")[0] for p in view.places.values()}:
            (partial / folder).mkdir(parents=True, exist_ok=True)

        def make(item: tuple[str, str]) -> None:
            original, place = item
            made = content(original)
            if made is None:
                _keep(root / original, partial / place)
            else:
                (partial / place).write_bytes(made)

        with ThreadPoolExecutor() as pool:
            for done, _ in enumerate(pool.map(make, view.places.items()), 1):
                progress(done, len(view.places))
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _keep(original: Path, place: Path) -> None:
    """The file itself where it can be linked and a container's user may read it, or a copy."""
    real = original.resolve()
    if real.stat().st_mode & 0o004:
        try:
            os.link(real, place)
            return
        except OSError:
            pass
    shutil.copyfile(real, place)
    place.chmod(0o644)


def prune(home: Path, keep: Collection[Path] = (), days: float = 30.0) -> list[Path]:
    """Remove cached images that nobody asked for in so many days, and what broken builds left.

    ``keep``: folders of studies that still run. Gives what was removed.
    """
    folder = home / "cache" / "images"
    if not folder.is_dir():
        return []
    removed = []
    for each in sorted(folder.iterdir()):
        if each in keep or not each.is_dir() or time.time() - each.stat().st_mtime < days * 86400:
            continue
        key = each.name.removeprefix(".").split(".")[0]
        with FileLock(folder / f".{key}.lock"):
            shutil.rmtree(each, ignore_errors=True)
        removed.append(each)
    return removed
