"""The reference model script, run by plain Python as its author would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model import faces

SCRIPT = Path(__file__).parents[2] / "model" / "cnn.py"

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.mark.parametrize("with_test", [True, False])
def test_runs_unmodified_in_a_folder_with_its_data_set(tmp_path, with_test):
    counts = {"train": 64, "validation": 32} | ({"test": 16} if with_test else {})
    faces.write_faces(tmp_path / "dataset", counts, seed=1, size=64)
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Found 64 images belonging to 2 classes." in done.stdout
    assert "Validation accuracy: 0." in done.stdout
    assert ("Test accuracy: " in done.stdout) == with_test
