"""The verdict on a script, with its reasons in words."""

import ast
import posixpath
import re
from dataclasses import replace
from typing import Literal

from jobs.source import knobs
from jobs.source.analysis import Analysis, kind_of
from jobs.source.evaluate.shapes import CONVOLUTIONS
from jobs.source.evaluate.values import Data, Layer, plain
from jobs.source.files import Site
from jobs.source.hyperparameters import Knob
from jobs.source.script import (
    DataFolder,
    Hyperparameter,
    ImageLoading,
    Kind,
    Place,
    Reading,
)
from jobs.source.script import (
    Layer as LayerReading,
)
from jobs.source.steady import trains_steadily
from jobs.source.unread import unread

Use = Literal["train", "validation", "test", "all", "archive", "copied"]
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"}
_TEXT = {"Embedding", "TextVectorization", "Conv1D"}
_ENLARGING = {"UpSampling2D", "Conv2DTranspose"}
_WORDS: tuple[tuple[Use, tuple[str, ...]], ...] = (
    ("validation", ("valid", "val", "dev")),
    ("test", ("test",)),
    ("train", ("train",)),
)
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".webp")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".npz", ".npy", ".h5", ".hdf5", ".csv", ".pkl",
             ".pickle", ".mat")  # fmt: skip


def _roots(analysis: Analysis) -> set[str]:
    """The libraries that the script and its modules import."""
    roots: set[str] = set()
    for path in (analysis.script, *analysis.modules):
        for node in analysis.sources(path).imports:
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif not node.level:
                roots.add((node.module or "").partition(".")[0])
    return roots


def _kinds(analysis: Analysis) -> set[str]:
    """The kinds of the model's layers, those inside wrappers included."""
    found: set[str] = set()
    for each in analysis.chain:
        found.add(kind_of(each))
        layer = each.layer
        while isinstance(layer, Layer) and isinstance(layer.inner, Layer):
            layer = layer.inner
            found.add(layer.kind)
    return found


def kind(analysis: Analysis) -> Kind:
    return _judged(analysis)[0]


def is_cnn(analysis: Analysis) -> bool:
    return kind(analysis) == "cnn" and analysis.trains


def _judged(analysis: Analysis) -> tuple[Kind, list[str]]:
    """The kind of a script and the sentences that say why."""
    trace, kinds = analysis.trace, _kinds(analysis)
    roots = _roots(analysis)
    uses_keras = bool(roots & {"keras", "tensorflow", "tf_keras"})
    if not uses_keras:
        return "other", [_without_keras(roots)]
    if analysis.model is None:
        if trace.loaded or trace.predicted:
            return "inference", ["It loads a finished model and trains nothing."]
        if trace.layers:
            return "helper", ["It makes layers, but no model of them is trained here."]
        if _defines_layers(analysis):
            return "helper", ["It only defines functions or classes; nothing here trains a model."]
        return "other", ["It uses Keras, but builds and trains no model that can be followed."]
    if analysis.model.style == "loaded":
        if analysis.trains:
            return "other", [
                "It goes on training a model that it loads from a file, so there is no "
                "architecture to read."
            ]
        return "inference", ["It loads a finished model and only predicts or evaluates."]
    if not analysis.trains:
        if trace.loaded or (trace.predicted and analysis.model.compiled is None):
            return "inference", ["It builds or loads a model and only predicts with it."]
        return "helper", ["It defines a model, but nothing here calls its fit."]
    return _by_layers(analysis, kinds)


def _by_layers(analysis: Analysis, kinds: set[str]) -> tuple[Kind, list[str]]:
    base = analysis.base
    convolutions = [each for each in analysis.chain if kind_of(each) in CONVOLUTIONS]
    if base is not None and base.style == "base":
        reasons = [
            f"It trains a new head on {base.name} of keras.applications; the head and the training "
            "can be tuned, the base cannot."
        ]
        return "cnn", [*reasons, *_training(analysis)]
    if "Embedding" in kinds and not kinds & _RECURRENT:
        return "text", ["It works on sequences of words (Embedding), not on images."]
    if kinds & CONVOLUTIONS and "Embedding" not in kinds:
        last = [each for each in analysis.chain if kind_of(each) not in ("Activation", "Softmax")]
        shape = last[-1].shape if last else None
        if (shape is not None and len(shape) == 3) or kinds & _ENLARGING:
            return "other", [
                "It makes images (an autoencoder, a GAN, a segmentation), so there is no accuracy "
                "of classes to tune."
            ]
        if not convolutions:
            return "recurrent", ["It applies convolutions to each step of a sequence."]
        count = len(convolutions)
        reasons = [f"It has {count} convolution{'s' if count > 1 else ''} on images."]
        return "cnn", [*reasons, *_training(analysis)]
    if base is not None and base.style == "loaded":
        return "other", [
            "It goes on training a model that it loads from a file, so there is no architecture "
            "to read."
        ]
    if kinds & _RECURRENT:
        names = ", ".join(sorted(kinds & _RECURRENT))
        return "recurrent", [f"It is a recurrent network ({names}), not one on images."]
    if kinds & _TEXT:
        names = ", ".join(sorted(kinds & _TEXT))
        return "text", [f"It works on sequences ({names}), not on images."]
    if kinds & {"Conv3D", "MaxPooling3D"}:
        return "other", ["It works on volumes by 3-D convolutions, not on images."]
    if "Dense" in kinds:
        return "mlp", ["It has dense layers only and no convolution."]
    return "other", ["No layer of its model could be made out."]


def _training(analysis: Analysis) -> list[str]:
    sentences = []
    if analysis.loop == "custom":
        sentences.append(
            "It trains by a loop of its own: progress cannot be followed unless it calls fit."
        )
    elif analysis.fit is not None and analysis.fit.model.compiled is None:
        sentences.append("No call of compile was found for the model that it trains.")
    steps = analysis.fit.params.get("steps_per_epoch") if analysis.fit else None
    count = plain(steps)
    batch = next((k.value for k in knobs.found(analysis) if k.name == "fit.batch_size"), None)
    if (
        isinstance(count, int | float)
        and isinstance(batch, int)
        and count >= 1
        and count is not True
    ):
        images = int(count) * batch
        sentences.append(
            f"An epoch is {int(count):,} steps of {batch} images, {images:,} images in all; "
            "training ends early where there are fewer."
        )
    return [*sentences, *analysis.errors]


def _without_keras(roots: set[str]) -> str:
    if roots & {"torch", "torchvision", "pytorch_lightning", "fastai"}:
        return "It uses PyTorch, not Keras."
    if "sklearn" in roots:
        return "It uses scikit-learn, not Keras."
    return "It does not import Keras."


def _defines_layers(analysis: Analysis) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(analysis.source.tree)
    )


# --- the reading


def reading(analysis: Analysis, found: list[Knob] | None = None) -> Reading:
    """What the analysis says, as plain values."""
    judged, reasons = _judged(analysis)
    if analysis.exhausted:
        reasons.append("The script is too entangled to be followed to its end.")
    tunable = knobs.found(analysis) if found is None and judged == "cnn" else found or []
    return Reading(
        script=analysis.script,
        kind=judged,
        reasons=tuple(reasons),
        trains=analysis.trains,
        loop=analysis.loop,  # type: ignore[arg-type]
        trains_steadily=trains_steadily(analysis),
        layers=tuple(_layers(analysis)),
        hyperparameters=tuple(_hyperparameter(analysis, each) for each in tunable),
        data=tuple(_folders(analysis)),
        images=_images(analysis),
        input_shape=analysis.input_shape,
        modules=analysis.modules,
        unread=unread(analysis, {each.name for each in tunable}) if judged == "cnn" else (),
    )


def _hyperparameter(analysis: Analysis, knob: Knob) -> Hyperparameter:
    return Hyperparameter(knob.name, knob.value, knob.space, knob.place(analysis), knob.held)


def _layers(analysis: Analysis) -> list[LayerReading]:
    counts: dict[str, int] = {}
    result = []
    for each in analysis.chain:
        kind_ = kind_of(each)
        counts[kind_] = counts.get(kind_, 0) + 1
        layer = each.layer
        site = layer.call if isinstance(layer, Layer) else (each.frames or layer.frames)[-1].site
        assert site is not None
        place = analysis.sources(site.path).place(site.start)
        result.append(LayerReading(f"{kind_.lower()}{counts[kind_]}", kind_, place, each.shape))
    return result


def _images(analysis: Analysis) -> ImageLoading:
    source = analysis.image_source
    if source is None:
        return ImageLoading()
    shape = source.shape
    size, channels = source.size, source.channels
    if size is None and shape is not None and len(shape) == 3 and shape[0] and shape[1]:
        size, channels = (shape[0], shape[1]), channels or shape[2]
    return ImageLoading(size, channels, source.interpolation, source.loader or None)


def _folders(analysis: Analysis) -> list[DataFolder]:
    """The paths that the script loads from, once each, in order, with what they are used for."""
    roles: dict[str, set[Use]] = {}
    for data, use in ((analysis.training_data, "train"), (analysis.validation_data, "validation")):
        if isinstance(data, Data):
            for each in data.folders:
                roles.setdefault(_clean(each.value), set()).add(use)  # type: ignore[arg-type]
    copied = {_copied_from(each.path.value) for each in analysis.trace.folders if each.copied}
    read = {_clean(each.path.value) for each in analysis.trace.folders if not each.copied}
    result: dict[str, DataFolder] = {}
    for folder in analysis.trace.folders:
        path = (_copied_from if folder.copied else _clean)(folder.path.value)
        if path in ("", ".", "..") or path in result:  # where the script is
            continue
        if path.startswith(("http://", "https://", "gs://")):
            continue
        given = roles.get(path, set())
        if path in copied and path not in read:
            role: Use = "copied"
        elif folder.archive or path.endswith(_ARCHIVES):
            role = "archive"
        elif len(given) == 1 and folder.subset is None:
            role = next(iter(given))
        elif len(given) > 1 or folder.subset is not None:
            role = "all"
        else:
            role = _by_name(path)
        place = _place(analysis, folder.path.trail)
        result[path] = DataFolder(path, role, place, copied=path in copied)
    return _joined(list(result.values()))


def _place(analysis: Analysis, trail: tuple[Site, ...]) -> Place:
    if not trail:
        return Place(analysis.script, 1)
    return analysis.sources(trail[0].path).place(trail[0].start)


def _clean(path: str) -> str:
    """A path without wildcards and without what ends it."""
    parts = path.replace("\\", "/").split("/")
    kept = []
    for part in parts:
        if any(sign in part for sign in "*?["):
            break
        kept.append(part)
    text = "/".join(kept)
    return posixpath.normpath(text) if text else ("/" if path.startswith("/") else "")


def _copied_from(path: str) -> str:
    """The folder of images that a file is copied from; nothing where it is a file of another kind.

    Of a path that is not known to its end, what is known is the folder.
    """
    path = _clean(path)
    suffix = posixpath.splitext(path)[1].lower()
    if suffix in _IMAGES:
        return posixpath.dirname(path)
    return "" if re.fullmatch(r"\.[a-z]\w{1,4}", suffix) else path


def _by_name(path: str) -> Use:
    for part in reversed([each.lower() for each in path.split("/") if each]):
        for use, words in _WORDS:
            if any(part.startswith(word) or part.endswith(word) for word in words):
                return use
    return "all"


def _joined(folders: list[DataFolder]) -> list[DataFolder]:
    """Class folders that are listed one by one stand for the folder that holds them."""
    result: list[DataFolder] = []
    for each in folders:
        parent = posixpath.dirname(each.path)
        kin = [
            other
            for other in folders
            if other.use == each.use and parent and posixpath.dirname(other.path) == parent
        ]
        inherited = _by_name(parent) == each.use
        name = posixpath.basename(each.path)
        is_class = "." not in name.strip(".") and _by_name(name) == "all"
        if len(kin) > 1 and inherited and each.use != "archive" and is_class:
            each = replace(each, path=parent)
        if all(each.path != other.path for other in result):
            result.append(each)
    return result


# --- where nothing can be read


def unreadable(failures: list[tuple[str, str]]) -> Reading:
    """For a repository of which no file could be read."""
    return Reading(
        script=failures[0][0], kind="other", reasons=tuple(sentence for _, sentence in failures[:5])
    )


def with_reasons(found: Reading, sentences: list[str]) -> Reading:
    return replace(found, reasons=(*found.reasons, *sentences))
