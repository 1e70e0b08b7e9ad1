"""What `python -m jobs explain` loads to answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW_TO_LOAD = {
    "tensorflow", "keras", "optuna", "sqlalchemy", "numpy", "git", "docker", "PIL", "pydantic",
}  # fmt: skip


def test_explain_loads_no_heavy_library(cnns):
    example = next(each for each in cnns if each.name == "classic_cats_dogs.py")
    command = [sys.executable, "-X", "importtime", "-m", "jobs", "explain"]
    for argument in (example.root / example.script, example.root.parent / "other"):
        done = subprocess.run(
            [*command, str(argument)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert " is " in done.stdout
        loaded = {
            line.rpartition("|")[2].strip()
            for line in done.stderr.splitlines()
            if line.startswith("import time:")
        }
        assert "jobs.source.detect" in loaded
        assert not {name.partition(".")[0] for name in loaded} & SLOW_TO_LOAD


def test_explain_minds_the_settings_of_a_repository(cnns, tmp_path):
    example = next(each for each in cnns if each.name == "classic_cats_dogs.py")
    shutil.copy(example.root / example.script, tmp_path)
    (tmp_path / "retune.toml").write_text('hold = ["conv1"]\n')
    command = [sys.executable, "-m", "jobs", "explain", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("it is held in retune.toml") == 2


def test_explaining_a_file_minds_the_settings_of_its_repository(cnns, tmp_path):
    example = next(each for each in cnns if each.name == "classic_cats_dogs.py")
    example.copy_to(tmp_path / "training")
    (tmp_path / ".git").mkdir()
    (tmp_path / "retune.toml").write_text('hold = ["optimizer.name"]\n')
    script = tmp_path / "training" / example.script
    command = [sys.executable, "-m", "jobs", "explain", "--json", str(script)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
    assert found["script"] == f"training/{example.script}"
    assert "retune.toml" in found["hyperparameters"]["optimizer.name"]["held"]
