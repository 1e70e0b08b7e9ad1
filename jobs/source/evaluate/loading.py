"""How scripts load their data: folders of images, arrays, ``tf.data`` pipelines."""

import ast
from typing import TYPE_CHECKING

from jobs.source.evaluate.names import DATA_SETS
from jobs.source.evaluate.trace import Use
from jobs.source.evaluate.values import (
    Const,
    Data,
    Function,
    Generator,
    Item,
    Method,
    Model,
    Seq,
    Shape,
    Tensor,
    Unknown,
    pair,
    shape_of,
    whole,
)
from jobs.source.script import BUILT_IN_DATA

if TYPE_CHECKING:
    from jobs.source.evaluate.expressions import Expressions

FLOWS: dict[str, tuple[str, ...]] = {
    "flow_from_directory": (
        "directory", "target_size", "color_mode", "classes", "class_mode", "batch_size",
    ),
    "flow_from_dataframe": ("dataframe", "directory", "x_col", "y_col", "weight_col",
                            "target_size"),
    "flow": ("x", "y", "batch_size"),
    "image_dataset_from_directory": (
        "directory", "labels", "label_mode", "class_names", "color_mode", "batch_size",
        "image_size",
    ),
}  # fmt: skip
_GENERATOR_PARAMETERS = (
    "featurewise_center", "samplewise_center", "featurewise_std_normalization",
    "samplewise_std_normalization", "zca_whitening", "zca_epsilon", "rotation_range",
    "width_shift_range", "height_shift_range", "brightness_range", "shear_range", "zoom_range",
)  # fmt: skip
_CHANNELS = {"rgb": 3, "grayscale": 1, "rgba": 4}
_BATCH_NAMES = ("batch_size", "BATCH_SIZE", "batchsize", "batch_sz")
_FILES = {
    "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "pandas.read_csv", "pandas.read_pickle",
    "scipy.io.loadmat", "h5py.File", "joblib.load", "pickle.load",
}  # fmt: skip
_ARCHIVES = {"zipfile.ZipFile", "tarfile.open", "shutil.unpack_archive"}
_COPIES = {"shutil.copyfile", "shutil.copy", "shutil.copy2", "shutil.move"}
_LISTINGS = {
    "os.listdir", "os.walk", "os.scandir", "glob.glob", "glob.iglob", "cv2.imread",
    "PIL.Image.open", "imutils.paths.list_images", "skimage.io.imread", "imageio.imread",
    "matplotlib.pyplot.imread", "matplotlib.image.imread", "sklearn.datasets.load_files",
    "tensorflow.io.gfile.glob", "tensorflow.io.gfile.listdir", "tensorflow.io.read_file",
}  # fmt: skip
_ARRAYS = {
    "array", "asarray", "stack", "vstack", "hstack", "concatenate", "to_categorical", "float32",
    "squeeze", "transpose", "reshape", "expand_dims", "zeros", "ones", "empty", "ndarray", "rand",
    "randn", "uniform", "normal", "randint", "random", "divide", "repeat", "append", "copy",
}  # fmt: skip


def call(
    run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Item | None:
    """What a loading function gives, or None where ``name`` loads nothing."""
    last = name.rpartition(".")[2]
    if last == "ImageDataGenerator":
        return _generator(run, args, kwargs, node)
    if last == "image_dataset_from_directory":
        return _flow(run, last, None, args, kwargs, node)
    parts = name.split(".")
    if last == "load_data" and "datasets" in parts and len(parts) >= 2:
        return _built_in(run, parts[-2])
    if name.startswith("tensorflow.data."):
        return _pipeline(run, last, args)
    if name == "kagglehub.dataset_download" and (handle := _text(args[0] if args else None)):
        # Where the trainer puts what the data set has for it.
        folder = Const(value=f"kagglehub/{handle}", trail=args[0].trail)
        run.trace.folder(folder)
        return folder
    if name == "tensorflow_datasets.load":
        data = Data(loader="tensorflow_datasets")
        if "with_info" in kwargs:
            return Seq(items=[data, Unknown()])
        return data
    if last == "train_test_split":
        return Seq(items=[each for arg in args for each in (_as_data(arg), _as_data(arg))])
    if name in _FILES or name in _ARCHIVES or name in _LISTINGS or last == "load_img":
        return _opened(run, name, last, args, kwargs)
    if name in _COPIES:
        source = args[0] if args else kwargs.get("src")
        if isinstance(source, Const) and isinstance(source.value, str):
            run.trace.folder(source, copied=True)
        return Unknown()
    if name.startswith(("cv2.", "PIL.", "skimage.", "tensorflow.image.")) and "resize" in last:
        return _resized(run, name, args, kwargs)
    if last in _ARRAYS and (name.startswith("numpy.") or last == "to_categorical"):
        return _array(last, args, kwargs)
    if last == "img_to_array":
        return Data(loader="PIL")
    return None


def _generator(
    run: "Expressions", args: list[Item], kwargs: dict[str, Item], node: ast.Call
) -> Generator:
    params = {**dict(zip(_GENERATOR_PARAMETERS, args, strict=False)), **kwargs}
    generator = Generator(params=params, call=run.source.site(node), node=node, frames=run.here)
    run.trace.generators.append(generator)
    return generator


def _flow(
    run: "Expressions",
    name: str,
    generator: Generator | None,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    params = {**dict(zip(FLOWS[name], args, strict=False)), **kwargs}
    mode = params.get("color_mode")
    from_folder = name != "flow"
    fallback = (256, 256) if from_folder else None
    given = params.get("target_size", params.get("image_size"))
    usual = "bilinear" if name == "image_dataset_from_directory" else "nearest"
    filter_ = params.get("interpolation")
    data = Data(
        loader=name,
        batch=params.get("batch_size"),
        size=pair(given) if given is not None else fallback,
        channels=_CHANNELS.get(str(mode.value) if isinstance(mode, Const) else "rgb", 3)
        if from_folder
        else None,
        interpolation=(filter_.value if isinstance(filter_, Const) else usual)
        if from_folder
        else None,
        generator=generator,
        call=run.source.site(node),
        subset=_text(params.get("subset")),
    )
    source = params.get("x")
    if isinstance(source, Data):
        data.shape, data.folders = source.shape, source.folders
    elif data.size and data.channels:
        data.shape = (*data.size, data.channels)
    folder = params.get("directory")
    if isinstance(folder, Const) and isinstance(folder.value, str):
        data.folders = (folder,)
        run.trace.folder(folder, subset=data.subset)
    if data.batch is not None:
        run.trace.use(data.batch, Use(data, "batch_size", run.source.site(node)))
    for key in ("target_size", "image_size"):
        if key in params:
            run.trace.use(params[key], Use(data, key, run.source.site(node)))
    run.trace.loads.append(data)
    if data.subset == "both":
        return Seq(items=[data, data])
    return data


def _text(value: Item | None) -> str | None:
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


def batches(run: "Expressions", name: str, kwargs: dict[str, Item], node: ast.Call) -> Item:
    """What a library gives that is not known here: batches of a size, where it is told one."""
    size = kwargs.get("batch_size")
    if size is None:
        return Unknown()
    data = Data(loader=name, batch=size, call=run.source.site(node))
    run.trace.use(size, Use(data, "batch_size", run.source.site(node)))
    return data


def generated(yielded: list[Item], names: dict[str, Item]) -> Data:
    """What a generator of the script gives: what it yields, in batches of its ``batch_size``."""
    data = Data(loader="generator")
    for each in yielded:
        first = each.items[0] if isinstance(each, Seq) and each.items else each
        if isinstance(first, Data):
            data = _copy(first, trail=(), deps=frozenset())
    size = next((names[name] for name in _BATCH_NAMES if isinstance(names.get(name), Const)), None)
    if size is not None:
        data.batch, data.call = size, None
    return data


def _built_in(run: "Expressions", name: str) -> Item:
    """``keras.datasets.<name>.load_data()``."""
    data = Data(loader=f"{BUILT_IN_DATA}{name}", shape=DATA_SETS.get(name))
    run.trace.loads.append(data)
    half = [Seq(items=[data, Data(loader=data.loader)]) for _ in range(2)]
    return Seq(items=list(half))


def _as_data(value: Item) -> Item:
    return value if isinstance(value, Data) else Data(loader="array")


def _pipeline(run: "Expressions", last: str, args: list[Item]) -> Item | None:
    if last in ("AUTOTUNE", "experimental"):
        return None
    data = Data(loader="tf.data")
    for each in args:
        source = each.items[0] if isinstance(each, Seq) and each.items else each
        if isinstance(source, Data):
            data = _copy(source, loader=source.loader, batch=None)
        elif isinstance(source, Const) and isinstance(source.value, str):
            run.trace.folder(source)
            data.folders = (source,)
    run.trace.loads.append(data)
    return data


def _copy(data: Data, **changes: object) -> Data:
    other = object.__new__(Data)
    other.__dict__.update(data.__dict__)
    other.__dict__.update(changes)
    return other


def _opened(
    run: "Expressions", name: str, last: str, args: list[Item], kwargs: dict[str, Item]
) -> Item:
    """A file or folder is read by hand."""
    path = args[0] if args else next(iter(kwargs.values()), Unknown())
    archive = name in _ARCHIVES or name in _FILES
    data = Data(loader="PIL" if last in ("open", "load_img") else name)
    if isinstance(path, Const) and isinstance(path.value, str):
        run.trace.folder(path, archive=archive)
        data.folders = (path,)
    if last == "load_img":
        data.size = pair(kwargs.get("target_size"))
        mode = kwargs.get("color_mode")
        gray = kwargs.get("grayscale")
        is_gray = isinstance(gray, Const) and gray.value is True
        data.channels = 1 if is_gray else _CHANNELS.get(_text(mode) or "rgb", 3)
        data.interpolation = _text(kwargs.get("interpolation")) or "nearest"
    if last == "imread" and len(args) > 1:
        data.channels = 1 if whole(args[1]) == 0 or _is_gray(args[1]) else 3
    if last not in ("listdir", "walk", "scandir", "glob", "iglob", "list_images"):
        run.trace.loads.append(data)
        return data
    return Unknown()


def _is_gray(value: Item) -> bool:
    return getattr(value, "name", "").endswith("IMREAD_GRAYSCALE")


def _resized(run: "Expressions", name: str, args: list[Item], kwargs: dict[str, Item]) -> Item:
    size = pair(args[1]) if len(args) > 1 else pair(kwargs.get("size", kwargs.get("dsize")))
    if size and name.startswith("cv2."):
        size = (size[1], size[0])
    first = args[0] if args else None
    if size:
        interpolation = "bilinear"
        data = Data(loader=name.partition(".")[0], size=size, interpolation=interpolation)
        if isinstance(first, Data):
            data.channels, data.folders = first.channels, first.folders
        data.loader = {"tensorflow": "tf.image.resize"}.get(data.loader, data.loader)
        run.trace.loads.append(data)
    if isinstance(first, Tensor):
        return Tensor(applied=first.applied)
    return Data(loader="array", size=size)


def _array(last: str, args: list[Item], kwargs: dict[str, Item]) -> Item:
    source = next((each for each in args if isinstance(each, Data)), None)
    if source is None:
        listed = args[0] if args and isinstance(args[0], Seq) else None
        if listed is not None and listed.items and last in ("array", "asarray"):
            constants = all(isinstance(each, Const) for each in listed.items)
            if constants:
                return listed
        shape = shape_of(args[0]) if args and isinstance(args[0], Seq) else None
        if last in ("rand", "randn") and len(args) > 1:
            shape = tuple(whole(each) for each in args)
        size = kwargs.get("size", kwargs.get("shape"))
        if size is None and last in ("uniform", "normal", "randint", "random") and args:
            size = args[-1]
        if size is not None:
            shape = shape_of(size)
        return Data(loader="array", shape=shape[1:] if shape and len(shape) > 1 else None)
    if last == "to_categorical":
        return Data(loader=source.loader)
    if last == "expand_dims":
        return _copy(source, shape=_expanded(source.shape, args, kwargs))
    if last == "reshape" and len(args) > 1:
        shape = shape_of(args[1])
        return _copy(source, shape=shape[1:] if shape else None)
    return source


def _expanded(shape: Shape | None, args: list[Item], kwargs: dict[str, Item]) -> Shape | None:
    axis = whole(args[1] if len(args) > 1 else kwargs.get("axis"))
    if shape is None or axis is None:
        return None
    return (*shape, 1) if axis in (-1, len(shape) + 1) else shape


def method(
    run: "Expressions",
    of: Generator | Data,
    name: str,
    args: list[Item],
    kwargs: dict[str, Item],
    node: ast.Call,
) -> Item:
    """A method of a generator, a data set or an array."""
    if isinstance(of, Generator):
        if name in FLOWS:
            return _flow(run, name, of, args, kwargs, node)
        return Unknown()
    if name in ("batch", "padded_batch"):
        size = args[0] if args else kwargs.get("batch_size")
        if size is not None:
            data = _copy(of, batch=size, call=run.source.site(node))
            run.trace.use(size, Use(data, "batch_size", run.source.site(node)))
            return data
    if name in ("map", "filter", "apply", "interleave", "flat_map"):
        return _mapped(run, of, args)
    if name == "reshape":
        shape = shape_of(args[0]) if len(args) == 1 else tuple(whole(each) for each in args)
        return _copy(of, shape=shape[1:] if shape and len(shape) > 1 else None)
    if name in ("next", "as_numpy_iterator", "numpy", "class_names", "sum", "max", "min"):
        return Unknown()
    if name == "resize":
        width_height = pair(args[0]) if args else None
        turned = (width_height[1], width_height[0]) if width_height else None
        data = _copy(of, size=turned, interpolation="bicubic")
        if turned:
            run.trace.loads.append(data)
        return data
    if name == "convert" and args:
        return _copy(of, channels={"L": 1, "RGB": 3}.get(_text(args[0]) or "", of.channels))
    return of


def _mapped(run: "Expressions", of: Data, args: list[Item]) -> Data:
    """The function of ``map`` is followed: it may resize, augment or decode."""
    before = len(run.trace.loads)
    if args and isinstance(args[0], Function | Model):
        given: list[Item] = [Tensor(), Unknown()]
        if isinstance(args[0], Function):
            run.call_function(args[0], given, {})
    found = run.trace.loads[before:]
    size = next((each.size for each in found if each.size), of.size)
    shape = of.shape
    if size and size != of.size:
        shape = None
    return _copy(of, size=size, shape=shape)


def attribute(of: Data, name: str) -> Item:
    if name == "shape":
        if of.shape is None:
            return Unknown()
        return Seq(items=[Unknown(), *(Const(value=each) for each in of.shape)])
    if name in ("class_indices", "classes", "labels", "samples", "n", "ndim", "size",
                "num_classes", "image_shape", "class_names", "T"):  # fmt: skip
        if name == "image_shape" and of.shape:
            return Seq(items=[Const(value=each) for each in of.shape])
        return Unknown()
    return Method(name=name, of=of)


def subscript(of: Data, key: Item | None) -> Item:
    """A part of an array: the shape of one example stays, ``newaxis`` at the end adds to it."""
    if isinstance(key, Seq) and of.shape is not None and key.items:
        last = key.items[-1]
        if isinstance(last, Const) and last.value is None:
            return _copy(of, shape=(*of.shape, 1))
    return of
