"""What Keras' own loaders give with the cached images and without: the same, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import dataset
from jobs.settings import RepositorySettings
from jobs.source.script import ImageLoading

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SIZE = (24, 20)


@pytest.fixture
def pets(tree, draw) -> Path:
    """Two classes of odd images: every mode and format that a loader may meet."""
    root = tree("pets", "cats", "dogs", images=5)
    for kind in ("cats", "dogs"):
        draw(root / kind / "cmyk.jpg", mode="CMYK")
        draw(root / kind / "grey.jpeg", mode="L")
        draw(root / kind / "palette.png", mode="P")
        draw(root / kind / "clear.png", mode="RGBA")
        draw(root / kind / "deep.png", mode="I;16")
        draw(root / kind / "small.bmp", size=(9, 7))
        draw(root / kind / "exact.jpg", size=(SIZE[1], SIZE[0]))
        draw(root / kind / "UPPER.JPG", form="JPEG")
        draw(root / kind / "really-a-png.jpg", form="PNG")
        draw(root / kind / "tall.tif", size=(31, 90))
    return root


@pytest.fixture
def view(operator, named, home, tmp_path):
    def make(images: ImageLoading) -> Path:
        source = dataset.look_up(operator, RepositorySettings(), tmp_path, [named("pets", "all")])
        return dataset.cache(dataset.check(source, home), images, home)

    return make


@pytest.mark.parametrize("interpolation", [None, "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(("channels", "mode"), [(3, "rgb"), (1, "grayscale"), (4, "rgba")])
def test_flow_from_directory(pets, view, interpolation, channels, mode):
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    def batches(folder: Path) -> tuple[list[str], dict[str, int], list[np.ndarray]]:
        flow = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow_from_directory(
            folder,
            target_size=SIZE,
            color_mode=mode,
            batch_size=7,
            class_mode="binary",
            seed=3,
            **({"interpolation": interpolation} if interpolation else {}),
        )
        arrays = [array for number in range(len(flow)) for array in flow[number]]
        return flow.filenames, flow.class_indices, arrays

    cached = view(ImageLoading(SIZE, channels, interpolation, "flow_from_directory"))
    assert cached != pets
    names, indices, expected = batches(pets)
    cached_names, cached_indices, given = batches(cached)
    assert (cached_names, cached_indices) == (names, indices)
    assert len(given) == len(expected) == 10
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    with Image.open(cached / "cats/000.jpg") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", ["rgb", "grayscale"])
def test_load_img(pets, view, interpolation, mode):
    from keras.utils import img_to_array, load_img

    cached = view(ImageLoading(SIZE, {"rgb": 3, "grayscale": 1}[mode], interpolation, "PIL"))
    assert (cached != pets) == (interpolation == "nearest")
    for path in pets.rglob("*.*"):
        given, expected = (
            img_to_array(load_img(each, mode, target_size=SIZE, interpolation=interpolation))
            for each in (cached / path.relative_to(pets), path)
        )
        np.testing.assert_array_equal(given, expected)


def test_hand_written_pillow(pets, view):
    cached = view(ImageLoading(SIZE, None, "nearest", "PIL"))
    assert cached != pets
    for path in pets.rglob("*.*"):
        for mode in ("RGB", "L"):
            given, expected = (
                np.asarray(Image.open(each).convert(mode).resize(SIZE[::-1], Image.NEAREST))
                for each in (cached / path.relative_to(pets), path)
            )
            np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_image_dataset_from_directory(pets, view, interpolation):
    from keras.utils import image_dataset_from_directory

    (pets / "cats/corrupt.jpg").write_bytes(b"corrupt")
    cached = view(ImageLoading(SIZE, 3, interpolation, "image_dataset_from_directory"))
    (pets / "cats/corrupt.jpg").unlink()
    given, expected = (
        image_dataset_from_directory(
            folder, image_size=SIZE, interpolation=interpolation, seed=5, batch_size=4
        )
        for folder in (cached, pets)
    )
    assert given.class_names == expected.class_names
    for (images, labels), (others, other_labels) in zip(given, expected, strict=True):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_png_under_a_jpg_name_is_read_by_tensorflow(pets, view):
    import tensorflow as tf

    cached = view(ImageLoading(SIZE, 3, None, "flow_from_directory"))
    content = tf.io.read_file(str(cached / "cats/000.jpg"))
    with Image.open(cached / "cats/000.jpg") as image:
        expected = np.asarray(image)
    for decode in (tf.io.decode_image, tf.io.decode_jpeg):
        np.testing.assert_array_equal(decode(content, channels=3), expected)
