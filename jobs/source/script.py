"""What reading a model script yields: plain values, no syntax trees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = int | float | str | bool
Tweak = Mapping[str, Value]
"""Hyperparameter name -> new value; structure (``blocks``, ``batch_norm``) included."""


@dataclass(frozen=True)
class Range:
    """A closed interval; ``integer`` ones hold ``int``. ``step`` counts from ``low``."""

    low: int | float
    high: int | float
    integer: bool = False
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Choices:
    """A finite set of values, in a sensible order."""

    options: tuple[Value, ...]


Space = Range | Choices


@dataclass(frozen=True)
class Place:
    """POSIX path relative to the repository's root, line from 1, notebook cell from 0."""

    path: str
    line: int
    cell: int | None = None


@dataclass(frozen=True)
class Hyperparameter:
    """A tunable value of the script. ``held`` says why it may not be changed, or is None."""

    name: str
    value: Value
    space: Space
    place: Place | None
    held: str | None = None


@dataclass(frozen=True)
class Unread:
    """A hyperparameter whose value only a run shows: what is written, where, and why it is left."""

    name: str
    text: str
    place: Place
    held: str


@dataclass(frozen=True)
class Layer:
    """A layer in order of the data; ``output_shape`` without the batch axis where it is known."""

    name: str
    kind: str
    place: Place
    output_shape: tuple[int | None, ...] | None = None


@dataclass(frozen=True)
class DataFolder:
    """A path literal from which the script loads data, with what the data is used for.

    ``copied``: it copies files from there, into folders that it loads from; the use is ``copied``
    as well where that is all that it does with them.
    """

    path: str
    use: Literal["train", "validation", "test", "all", "archive", "copied"]
    place: Place
    copied: bool = False


BUILT_IN_DATA = "keras.datasets."
"""What the loaders of Keras' own data sets begin with."""


@dataclass(frozen=True)
class ImageLoading:
    """How the script reads its images: (height, width) in pixels, channels, resampling filter.

    ``interpolation`` is the loader's name for it (``nearest``, ``bilinear`` …); ``loader`` is the
    function that loads (``flow_from_directory``, ``image_dataset_from_directory``, ``PIL`` …).
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    interpolation: str | None = None
    loader: str | None = None


Kind = Literal["cnn", "mlp", "text", "recurrent", "inference", "helper", "other"]


@dataclass(frozen=True)
class Reading:
    """What a file is and what can be tuned in it.

    ``reasons`` are sentences. ``input_shape`` is (height, width, channels) where it is known.
    ``trains`` says that the file builds, compiles and fits; ``loop`` names how it trains
    (``fit``, ``fit_generator``, ``custom``), ``trains_steadily`` that it does so by one call, which
    nothing repeats, and plans no schedule for its learning rate. ``modules`` are the repository's
    own files that it imports and in which hyperparameters may live.
    """

    script: str
    kind: Kind
    reasons: tuple[str, ...]
    trains: bool = False
    loop: Literal["fit", "fit_generator", "custom", "none"] = "none"
    trains_steadily: bool = False
    layers: tuple[Layer, ...] = ()
    hyperparameters: tuple[Hyperparameter, ...] = ()
    data: tuple[DataFolder, ...] = ()
    images: ImageLoading = field(default_factory=ImageLoading)
    input_shape: tuple[int | None, ...] | None = None
    modules: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def is_cnn(self) -> bool:
        return self.kind == "cnn" and self.trains

    def values(self) -> dict[str, Value]:
        """Hyperparameter name -> value in the script, held ones included."""
        return {each.name: each.value for each in self.hyperparameters}

    def space(self) -> dict[str, Space]:
        """Hyperparameter name -> search range of those that may be tuned."""
        return {each.name: each.space for each in self.hyperparameters if each.held is None}
