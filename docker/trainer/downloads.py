"""Files that Keras downloads, from the operator's folder: there is no network in an environment.

``keras.datasets.*.load_data()``, the weights of ``keras.applications`` and a script's own
``get_file`` all go through ``keras.utils.get_file``, which looks into its cache first. What the
operator's folder has is linked there, under the name that is asked for; what it lacks is named.
``urllib.request.urlretrieve`` finds the same files.
"""

import contextlib
import functools
import inspect
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import keras
import numpy as np
from keras.src.backend.config import keras_home
from keras.src.datasets import cifar, cifar10
from keras.src.utils import file_utils

_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar", ".zip", ".gz")


def prepare() -> None:
    """Look once for all trials where Keras holds the functions that each of them replaces."""
    for original in (file_utils.get_file, cifar10.load_data):
        _holders(original)


def install(folder: Path, note: Callable[[str], None]) -> None:
    """``folder`` is the operator's; it need not be there."""
    original = file_utils.get_file
    _replace(original, _served(original, folder))
    _replace(cifar10.load_data, _load_cifar10)
    # Weights that a script has downloaded by hand, under the name that they have there.
    file_utils.exists = _provided(file_utils.exists, folder)
    keras.Model.load_weights = _provided(keras.Model.load_weights, folder)
    urllib.request.urlretrieve = _retrieved(urllib.request.urlretrieve, folder, note)


def _retrieved(
    original: Callable[..., Any], folder: Path, note: Callable[[str], None]
) -> Callable[..., Any]:
    """``urlretrieve``: the operator's file of that name, or what is already where it would be."""

    @functools.wraps(original)
    def urlretrieve(url: str, filename: Any = None, *others: Any, **named: Any) -> Any:
        if urlsplit(url).scheme not in ("http", "https", "ftp"):
            return original(url, filename, *others, **named)
        name = os.path.basename(urlsplit(url).path)
        path = Path(filename or os.path.join("/tmp", name))
        if not path.exists():
            wanted, found = name or path.name, _find(folder, path.name, url)
            if found is not None:
                _linked(path, found)
            elif path.name.lower().endswith(_ARCHIVES):
                # What it holds may be in the data set, unpacked.
                note(f"The download of {wanted} was left out: there is no network here.")
            else:
                raise FileNotFoundError(_lacks(wanted))
        return str(path), Message()

    return urlretrieve


def _lacks(name: str) -> str:
    return (
        f"The script downloads {name}, and there is no network here; ask the operator to "
        "put it into the folder that RETUNE_KERAS_DATA names."
    )


def _provided(original: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """``original`` with the operator's file at the path that it is given, where there is none."""

    @functools.wraps(original)
    def function(*arguments: Any, **named: Any) -> Any:
        for each in (*arguments[:2], *named.values()):
            path = Path(each) if isinstance(each, (str, Path)) else None
            if path is not None and path.suffix in (".h5", ".hdf5") and not path.exists():
                found = _find(folder, path.name, "")
                with contextlib.suppress(OSError):  # where nothing can be written
                    if found is not None:
                        _linked(path, found)
        return original(*arguments, **named)

    return function


def _replace(original: Callable[..., Any], other: Callable[..., Any]) -> None:
    for module in _holders(original):
        setattr(module, original.__name__, other)


@functools.cache
def _holders(function: Callable[..., Any]) -> tuple[ModuleType, ...]:
    """Keras' modules that hold a function, under whichever name they were imported."""
    return tuple(
        module
        for path, module in list(sys.modules.items())
        if path.startswith(("keras", "tensorflow.keras"))
        and vars(module).get(function.__name__) is function
    )


def _served(original: Callable[..., str], folder: Path) -> Callable[..., str]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def get_file(*arguments: Any, **named: Any) -> str:
        given = signature.bind(*arguments, **named)
        given.apply_defaults()
        call = given.arguments
        name, origin = os.fspath(call["fname"] or ""), str(call["origin"] or "")
        if os.path.isabs(name) and os.path.exists(name):
            return name
        # Keras 2 made folders of a name such as "weights/vgg.h5".
        name = os.path.basename(name) or os.path.basename(urlsplit(origin).path)
        found = _find(folder, name, origin)
        if found is None:
            wanted = os.path.basename(urlsplit(origin).path) or name
            raise FileNotFoundError(_lacks(wanted))
        # As Keras chooses it.
        home = os.path.expanduser(call["cache_dir"] or keras_home())
        if not os.access(home, os.W_OK):
            home = os.path.join("/tmp", ".keras")
        cache = Path(home) / call["cache_subdir"]
        cache.mkdir(parents=True, exist_ok=True)
        extracts = call["extract"] or call["untar"]
        if extracts and found.is_dir():
            return str(_linked(cache / _stem(name) / found.name, found).parent)
        # As Keras names it: an archive whose name has no ending keeps its name for the folder.
        target = f"{name}_archive" if extracts and "." not in name else name
        _linked(cache / target, found)
        # The operator answers for the content, which may be an excerpt.
        call |= {
            "fname": name,
            "cache_dir": home,
            "md5_hash": None,
            "file_hash": None,
            "force_download": False,
        }
        place = original(*given.args, **given.kwargs)
        if extracts:
            _as_keras_2(cache, Path(place))
        return place

    return get_file


def _find(folder: Path, name: str, origin: str) -> Path | None:
    """A file by the name asked for, that of the address, or with another archive's ending."""
    if not folder.is_dir():
        return None
    there = sorted(folder.rglob("*"), key=lambda each: (len(each.parts), each.name))
    for wanted in _names(name, origin):
        found = next((each for each in there if each.name == wanted), None)
        if found is not None:
            return found
    return None


def _names(name: str, origin: str) -> Iterator[str]:
    address = os.path.basename(urlsplit(origin).path)
    # "-target" is what Keras 3.6 began to call CIFAR's folder.
    for each in dict.fromkeys((name, address, name.removesuffix("-target"))):
        if each:
            yield each
            yield f"{each}_archive"
            yield from (f"{_stem(each)}{ending}" for ending in ("", *_ARCHIVES))


def _stem(name: str) -> str:
    for ending in _ARCHIVES:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _linked(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    return path


def _as_keras_2(cache: Path, extracted: Path) -> None:
    """Until Keras 3.0 an archive was unpacked into the cache itself, and scripts look there."""
    for entry in extracted.iterdir():
        if entry.is_dir() and not (cache / entry.name).exists():
            (cache / entry.name).symlink_to(entry)


def _load_cifar10() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """``cifar10.load_data``, for as many images as there are: the operator may offer fewer."""
    folder = Path(
        file_utils.get_file(
            fname="cifar-10-batches-py-target",
            origin="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            extract=True,
        )
    )
    folder = next((each.parent for each in sorted(folder.rglob("data_batch_1"))), folder)
    names = sorted(each.name for each in folder.glob("data_batch_*"))

    def load(*files: str) -> tuple[Any, Any]:
        loaded = [cifar.load_batch(str(folder / each)) for each in files]
        x = np.concatenate([images for images, _ in loaded]).astype("uint8")
        y = np.concatenate([np.asarray(labels, "uint8") for _, labels in loaded])
        # Keras' image format is the script's wish at the time of the call.
        from keras import backend

        last = backend.image_data_format() == "channels_last"
        return (x.transpose(0, 2, 3, 1) if last else x), y.reshape(-1, 1)

    return load(*names), load("test_batch")
