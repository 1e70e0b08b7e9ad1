import json

from jobs.source.files import Checkout
from jobs.source.wording import beginnings, strings


def test_every_string_of_scripts_and_notebooks(tmp_path):
    (tmp_path / "train.py").write_text("a = 'data/train'\nb = f'{a}/Cat'\nc = r'C:\\me'\n")
    (tmp_path / "broken.py").write_text("print 'no', `1`\n")
    cell = {"cell_type": "code", "source": "%cd /content\nopen('/home/accuracy.txt', 'w')\n"}
    (tmp_path / "cnn.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    assert strings(Checkout(tmp_path)) >= {
        "data/train",
        "/Cat",
        "C:\\me",
        "/home/accuracy.txt",
        "w",
    }
    assert "no" not in strings(Checkout(tmp_path))


def test_what_a_loop_makes_of_its_words(tmp_path):
    (tmp_path / "train.py").write_text("""
kinds = ["cat", "dog"]
for kind in kinds:
    paths = [kind + "s/" + name for name in os.listdir(kind + ".zip")]
for bird in ("owl", "crow"):
    print(f"data/{bird}s", f"{seconds}s", bird + 1)
""")
    found = strings(Checkout(tmp_path))
    assert found >= {"cats", "dogs", "owls", "crows", "cat", "owl"}
    assert not {each for each in found if "seconds" in each or each.endswith(".zips")}


def test_the_later_parts_of_f_strings_are_no_paths_of_their_own(tmp_path):
    (tmp_path / "train.py").write_text(
        "a = f'{base}/cats/1.jpg'\nb = f'/home/{name}/log.csv'\nc = '/task/out.txt'\n"
    )
    assert beginnings(Checkout(tmp_path)) == {"/home/", "/task/out.txt"}
    assert strings(Checkout(tmp_path)) >= {"/cats/1.jpg", "/log.csv"}
