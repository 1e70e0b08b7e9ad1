"""Where the data is that a script names."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs import dataset
from jobs.errors import RetuneError
from jobs.settings import RepositorySettings, Settings

SPLIT = ("train/cats", "train/dogs", "validation/cats", "validation/dogs", "test/cats", "test/dogs")
NOTHING = RepositorySettings()


def test_data_set_named_by_the_repository_is_found(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    tree("cars", *SPLIT)
    wanted = RepositorySettings(dataset="pets")
    data = [named("dataset/train", "train"), named("dataset/validation", "validation")]
    source = dataset.look_up(operator, wanted, tmp_path, data)
    assert source.name == "pets"
    assert source.mapping == {
        "dataset/train": "pets/train",
        "dataset/validation": "pets/validation",
    }
    assert source.images
    assert not source.notes


def test_unknown_data_set_says_what_is_offered(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    tree("cars", *SPLIT)
    with pytest.raises(RetuneError, match=r"'birds', which there is not; offered are cars, pets"):
        dataset.look_up(
            operator, RepositorySettings(dataset="birds"), tmp_path, [named("data", "all")]
        )


def test_only_or_default_data_set_needs_no_naming(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [named("dataset/train", "train")]
    assert dataset.look_up(operator, NOTHING, tmp_path, data).name == "pets"
    tree("cars", *SPLIT)
    with pytest.raises(RetuneError, match=r"cnn.py, line 1 .*'dataset/train'.*: cars, pets\."):
        dataset.look_up(operator, NOTHING, tmp_path, data)
    default = operator.model_copy(update={"dataset": "cars"})
    assert dataset.look_up(default, NOTHING, tmp_path, data).name == "cars"


@pytest.mark.parametrize("place", ["train", ""])
@pytest.mark.parametrize("use", ["all", "copied"])
def test_images_in_a_heap_are_where_the_script_copies_them_from(
    operator, tree, named, tmp_path, place, use
):
    tree("pets", place)
    copied = replace(named("/home/jo/downloads/pets_original", use), copied=True)
    data = [copied, named("/home/jo/small/train", "train"), named("small/val", "validation")]
    for folders in (data, [copied]):
        source = dataset.look_up(operator, NOTHING, tmp_path, folders, ("cat.{}.jpg",))
        assert source.mapping == {copied.path: f"pets/{place}".rstrip("/")}
        assert source.images


def test_folders_beside_one_that_is_loaded(operator, tree, named, tmp_path):
    tree("signs", "Train/0", "Train/1", "Test")
    words = ["signs/Train/%s/", "signs/{}.csv", "signs/Plots", "runs/Train", "Train"]
    source = dataset.look_up(operator, NOTHING, tmp_path, [named("signs/Test", "test")], words)
    assert source.mapping == {"signs/Test": "signs/Test", "signs/Train": "signs/Train"}


def test_images_in_class_folders_are_where_the_script_loads_them(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    copied = replace(named("/home/jo/downloads/pets_original", "copied"), copied=True)
    data = [copied, named("small/train", "train"), named("small/val", "validation")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"small/train": "pets/train", "small/val": "pets/validation"}
    assert dataset.look_up(operator, NOTHING, tmp_path, [copied], ("pets_x",)).mapping == {}


def test_what_is_copied_may_be_the_repositorys_own(operator, tree, named, tmp_path, draw):
    tree("pets", *SPLIT)
    draw(tmp_path / "photos/cat.1.jpg")
    data = [replace(named("photos", "copied"), copied=True), named("small/train", "train")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert (source.origin, source.mapping) == ("repository", {"photos": "repository"})


def test_nothing_offered_says_what_to_do(home, named, tmp_path):
    with pytest.raises(RetuneError, match="commit the data, or let the operator offer"):
        dataset.look_up(Settings(home=home), NOTHING, tmp_path, [named("data", "all")])


def test_script_without_paths_needs_no_data(operator, tmp_path):
    source = dataset.look_up(operator, NOTHING, tmp_path, [])
    assert source.root is None
    assert source.mapping == {}


def test_operators_link_is_followed_and_hidden_folders_are_not_offered(operator, offers, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (offers / "linked").symlink_to(tmp_path / "elsewhere")
    (offers / ".cache").mkdir()
    (offers / "notes.txt").touch()
    assert dataset.offered(operator) == {"linked": (tmp_path / "elsewhere").resolve()}


@pytest.mark.parametrize(
    ("folders", "literals", "expected"),
    [
        pytest.param(
            ("training_set/cats", "training_set/dogs", "test_set/cats", "test_set/dogs"),
            {"dataset/training_set": "train", "dataset/test_set": "validation"},
            {"dataset/training_set": "training_set", "dataset/test_set": "test_set"},
            id="two folders, the second steers",
        ),
        pytest.param(
            SPLIT,
            {"dataset/training_set": "train", "dataset/test_set": "validation"},
            {"dataset/training_set": "train", "dataset/test_set": "validation"},
            id="validating on test gets the validation split",
        ),
        pytest.param(
            ("Train/cats", "Train/dogs", "Valid/cats", "Valid/dogs"),
            {"/content/drive/pets/train": "train", "/content/drive/pets/val": "validation"},
            {"/content/drive/pets/train": "Train", "/content/drive/pets/val": "Valid"},
            id="letter case and absolute paths",
        ),
        pytest.param(
            ("pets/training_set/training_set/cats", "pets/test_set/test_set/cats"),
            {"training_set/training_set": "train", "data/test": "test"},
            {
                "training_set/training_set": "pets/training_set/training_set",
                "data/test": "pets/test_set/test_set",
            },
            id="wrapped folders",
        ),
        pytest.param(
            SPLIT,
            {"C:\\data\\train\\Cat": "train", "C:\\data\\train\\Dog": "train"},
            {"C:\\data\\train\\Cat": "train/cats", "C:\\data\\train\\Dog": "train/dogs"},
            id="single class folders",
        ),
        pytest.param(
            ("Cat", "Dog"), {"PetImages": "all"}, {"PetImages": ""}, id="class folders alone"
        ),
        pytest.param(
            ("Cat", "Dog"),
            {"PetImages/Cat": "all", "PetImages/Dog": "all"},
            {"PetImages/Cat": "Cat", "PetImages/Dog": "Dog"},
            id="class folders by name",
        ),
        pytest.param(
            SPLIT,
            {"data": "all", "data/train": "train", "data/test": "test"},
            {"data": ""},
            id="joined paths",
        ),
        pytest.param(
            ("training/a", "training/b", "test/a", "test/b"),
            {"data": "all", "data/train": "train", "data/test": "test"},
            {"data/train": "training", "data/test": "test"},
            id="joined paths that are called otherwise",
        ),
        pytest.param(
            ("cats", "dogs"), {"data/train": "train"}, {"data/train": ""}, id="train only"
        ),
    ],
)
def test_paths_are_mapped(operator, tree, named, tmp_path, folders, literals, expected):
    tree("pets", *folders)
    data = [named(path, use) for path, use in literals.items()]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {
        literal: f"pets/{place}".rstrip("/") for literal, place in expected.items()
    }
    assert not source.deals


def test_test_split_is_never_what_is_validated_on(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [named("d/train", "train"), named("d/test", "validation", 7), named("d/test", "test", 9)]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping["d/test"] == "pets/validation"
    assert "a test split never steers the search" in source.notes[0]


def test_data_without_splits_is_dealt_out(operator, tree, named, tmp_path):
    tree("pets", "cats", "dogs")
    data = [named("data/train", "train"), named("data/validation", "validation", 5)]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"data/train": "pets/train", "data/validation": "pets/validation"}
    (deal,) = source.deals
    assert deal.shares == {"train": pytest.approx(0.8), "validation": 0.2}
    assert "line 5" in source.notes[0]


def test_missing_split_is_held_out_of_training(operator, tree, named, tmp_path):
    tree("pets", "train/a", "train/b", "test/a", "test/b")
    data = [named("data/train", "train"), named("data/val", "validation"), named("data/t", "test")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping["data/val"] == "pets/validation"
    assert source.mapping["data/t"] == "pets/test"
    assert source.deals[0].sources == ("train",)


def test_everything_means_what_may_be_tuned_on(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    source = dataset.look_up(operator, NOTHING, tmp_path, [named("PetImages", "all")])
    assert source.mapping == {"PetImages": "pets/all"}
    assert source.deals[0].sources == ("train", "validation")


def test_single_classes_of_everything_keep_apart(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [named(path, "all") for path in ("PetImages", "PetImages/Dog", "PetImages/Cat")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {
        "PetImages/Dog": "pets/all/dogs",
        "PetImages/Cat": "pets/all/cats",
    }
    assert len(source.deals) == 1


def test_path_without_counterpart_is_named_with_its_line(operator, tree, named, tmp_path):
    tree("pets", "validation/cats", "test/cats")
    with pytest.raises(
        RetuneError,
        match=r"cnn.py, line 12 loads 'data/train'.* pets has no counterpart; it has the folders "
        r"validation and test and the class cats",
    ):
        dataset.look_up(operator, NOTHING, tmp_path, [named("data/train", "train", 12)])
    with pytest.raises(RetuneError, match="'data/test/birds'"):
        dataset.look_up(operator, NOTHING, tmp_path, [named("data/test/birds", "test")])


def test_files_are_found_by_name(operator, offers, named, tmp_path):
    (offers / "digits" / "raw").mkdir(parents=True)
    (offers / "digits" / "raw" / "mnist.npz").write_bytes(b"x")
    source = dataset.look_up(operator, NOTHING, tmp_path, [named("data/MNIST.npz", "archive")])
    assert source.mapping == {"data/MNIST.npz": "digits/raw/mnist.npz"}
    assert not source.images
    with pytest.raises(RetuneError, match=r"'data/cifar\.npz'"):
        dataset.look_up(operator, NOTHING, tmp_path, [named("data/cifar.npz", "archive")])


def test_picture_that_is_missing_is_replaced_and_mixes_nothing(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [
        named("dataset/training_set", "train"),
        named("dataset/test_set", "validation"),
        named("dataset/single_prediction/cat_or_dog_1.jpg", "all", 66),
        named("curves.png", "all", 70),
    ]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {
        "dataset/training_set": "pets/train",
        "dataset/test_set": "pets/validation",
        "dataset/single_prediction/cat_or_dog_1.jpg": "pets/test/cats/000.jpg",
    }
    assert not source.deals
    assert any("line 66" in n and "'test/cats/000.jpg' instead" in n for n in source.notes)
    assert any("'curves.png'" in n and "it is not there" in n for n in source.notes)


def test_no_picture_is_taken_from_what_is_dealt_out(operator, tree, named, tmp_path):
    tree("flowers", "rose", "tulip")
    data = [named("data/train", "train"), named("data/val", "validation"), named("me.jpg", "all")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.deals
    assert "me.jpg" not in source.mapping


def test_archive_of_what_is_there_unpacked_may_be_missing(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [named("/tmp/pets.zip", "archive"), named("/tmp/pets/train", "train")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"/tmp/pets/train": "pets/train"}
    with pytest.raises(RetuneError, match=r"'/tmp/pets\.zip', for which the data set pets has no"):
        dataset.look_up(operator, NOTHING, tmp_path, data[:1])


def test_everything_beside_both_splits_takes_neither_away(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [
        named("/task/train", "train"),
        named("/task/test", "validation"),
        named("/task/models", "all"),
    ]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert not source.deals
    assert source.mapping["/task/train"] == "pets/train"
    assert source.mapping["/task/test"] == "pets/validation"


def test_the_folder_that_the_splits_are_in_is_the_data_set(operator, tree, named, tmp_path):
    tree("pets", *SPLIT)
    data = [
        named("data", "all"),
        named("data/train", "train"),
        named("data/validation", "validation"),
    ]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"data": "pets"}
    assert not source.deals


def test_repositorys_own_folders_come_first(operator, tree, named, draw, tmp_path):
    tree("pets", *SPLIT)
    checkout = tmp_path / "checkout"
    draw(checkout / "dataset/train/a/1.jpg")
    draw(checkout / "dataset/val/a/1.jpg")
    data = [named("dataset/train", "train"), named("./dataset/val", "validation")]
    source = dataset.look_up(operator, NOTHING, checkout, data)
    assert source.origin == "repository"
    assert source.root == checkout / "dataset"
    assert source.mapping == {
        "dataset/train": "repository/train",
        "./dataset/val": "repository/val",
    }


def test_repositorys_own_folders_inside_of_each_other(operator, named, draw, home, tmp_path):
    draw(tmp_path / "data/a/1.jpg")
    draw(tmp_path / "data/b/1.jpg")
    draw(tmp_path / "docs/figure.jpg")
    data = [named("data/a", "all"), named("data", "all"), named("docs/figure.jpg", "all")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"data": "repository"}
    assert len(dataset.check(source, home).pictures) == 2


def test_repositorys_own_files_need_no_mapping(operator, named, tmp_path):
    (tmp_path / "labels.csv").touch()
    source = dataset.look_up(operator, NOTHING, tmp_path, [named("labels.csv", "archive")])
    assert source.root is None
    assert source.mapping == {}


def test_named_folder_of_the_repository(operator, named, draw, tmp_path):
    checkout = tmp_path / "checkout"
    draw(checkout / "photos/training/a/1.jpg")
    draw(checkout / "photos/testing/a/1.jpg")
    wanted = RepositorySettings(dataset="./photos")
    source = dataset.look_up(operator, wanted, checkout, [named("/data/train", "train")])
    assert source.mapping == {"/data/train": "repository/training"}
    with pytest.raises(RetuneError, match=r"\./pictures, which is not a folder .* it has photos"):
        dataset.look_up(
            operator,
            RepositorySettings(dataset="./pictures"),
            checkout,
            [named("/data/train", "train")],
        )


def test_link_out_of_the_repository_is_no_data(operator, named, draw, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    draw(tmp_path / "secret/1.jpg")
    (checkout / "data").symlink_to(tmp_path / "secret")
    with pytest.raises(RetuneError, match="which the repository does not have"):
        dataset.look_up(operator, NOTHING, checkout, [named("data", "all")])
    with pytest.raises(RetuneError, match="not a folder of the repository"):
        dataset.look_up(
            operator, RepositorySettings(dataset="./data"), checkout, [named("data", "all")]
        )
    with pytest.raises(RetuneError, match="which the repository does not have"):
        dataset.look_up(operator, NOTHING, checkout, [named("../secret", "all")])


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Training", "training_set", "seg_train", "TRAIN")),
        *((name, "validation") for name in ("val", "valid", "validation_set", "Val_data")),
        *((name, "test") for name in ("test", "test_set", "testing", "test1")),
        *((name, None) for name in ("cats", "dataset", "train_station", "contest", "data")),
    ],
)
def test_names_of_splits(name, split):
    from jobs.dataset.layout import split_of

    assert split_of(name) == split


def test_folder_that_cannot_be_read_is_a_clear_error(home, tmp_path: Path):
    with pytest.raises(RetuneError, match="RETUNE_DATASETS"):
        dataset.offered(Settings(home=home, datasets=tmp_path / "absent"))


def test_what_a_script_spells_out_is_found_where_reading_it_shows_no_data(
    operator, offers, tree, tmp_path
):
    tree("pets", "cats", "dogs")
    (offers / "pets" / "X.pickle").write_bytes(b"x")
    words = [r"H:\pets and more\X.pickle", "model.h5", "/content/pets/cats", "Dogs", "./logs/fit"]
    source = dataset.look_up(operator, NOTHING, tmp_path, [], words)
    assert source.mapping == {
        "H:/pets and more/X.pickle": "pets/X.pickle",
        "/content/pets/cats": "pets/cats",
    }
    assert dataset.look_up(operator, NOTHING, tmp_path, [], ["model.h5", "Dogs"]).root is None


def test_beside_its_tables_a_script_spells_out_where_the_images_are(
    operator, offers, tree, named, tmp_path
):
    tree("pets", "new_train", "new_test")
    (offers / "pets" / "train.csv").write_text("image,label")
    words = ["train.csv", "new_train/", "new_test", "weights"]
    data = [named("train.csv", "archive")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data, words)
    assert source.mapping == {
        "train.csv": "pets/train.csv",
        "new_train": "pets/new_train",
        "new_test": "pets/new_test",
    }


def test_beside_what_it_reads_a_script_spells_out_files_only(
    operator, offers, tree, named, tmp_path
):
    tree("pets", *SPLIT)
    (offers / "pets" / "labels.csv").write_text("0")
    words = ["data/labels.csv", "backup/train", "data/train/cats", "data/more.csv"]
    data = [named("data/train", "train")]
    source = dataset.look_up(operator, NOTHING, tmp_path, data, words)
    assert source.mapping == {"data/train": "pets/train", "data/labels.csv": "pets/labels.csv"}


def test_what_the_repository_has_is_not_looked_for_elsewhere(operator, offers, tree, tmp_path):
    tree("pets", "cats")
    (offers / "pets" / "names.txt").write_text("theirs")
    (tmp_path / "names.txt").write_text("own")
    assert dataset.look_up(operator, NOTHING, tmp_path, [], ["names.txt"]).root is None


def test_a_file_may_have_any_ending(operator, offers, tmp_path):
    (offers / "digits").mkdir()
    (offers / "digits" / "train-images.idx3-ubyte").write_bytes(b"x")
    words = ["train-images.idx3-ubyte", "t10k-images.idx3-ubyte", "digits"]
    source = dataset.look_up(operator, NOTHING, tmp_path, [], words)
    assert source.mapping == {"train-images.idx3-ubyte": "digits/train-images.idx3-ubyte"}


def test_what_a_script_unpacks_it_unpacks_into_folders_of_its_own(
    operator, offers, tree, named, tmp_path
):
    (offers / "cells").mkdir()
    (offers / "cells" / "cell_images.zip").write_bytes(b"x")
    data = [
        named("/content/drive/cell_images.zip", "archive"),
        named("/content/cells/cell_images", "all"),
    ]
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping == {"/content/drive/cell_images.zip": "cells/cell_images.zip"}
    tree("cells", "cell_images/ill", "cell_images/well")
    source = dataset.look_up(operator, NOTHING, tmp_path, data)
    assert source.mapping["/content/cells/cell_images"] == "cells/cell_images"
