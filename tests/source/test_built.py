"""Tweaked models are really built by Keras, and called on an image."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.source.rewrite import rewrite

NEED_SHIMS = {
    "keras1_convolution2d.py", "keras1_border_mode.py", "python_keras_path.py", "cifar_flow.py",
    "dataframe_generator.py", "pillow_arrays.py", "tf_data_files.py", "own_sequence.py",
    "own_generator.py", "notebook_shell_lines.ipynb", "python2_prints.py",
    "tables_and_plots.py", "theano_order.py", "exported_cells.py",
}  # fmt: skip
"""They need data of their own, or the trainer's help with idioms that Keras 3 dropped."""
LARGE = {"transfer_layer_loop.py", "transfer_sequential.py", "transfer_functional.py"}
EACH = 6
ROOT = Path(__file__).parents[2]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_tweak_of_the_search_space_can_be_built(cnns, draw, tmp_path):
    chance = random.Random(20)
    jobs = []
    for example in cnns:
        if example.name in NEED_SHIMS or example.name in LARGE:
            continue
        reading = example.read()
        for number in range(EACH):
            root = example.copy_to(tmp_path / example.name / str(number))
            tweak = draw(chance, reading)
            for path, content in rewrite(root, example.script, tweak).items():
                (root / path).write_bytes(content)
            shape = reading.input_shape
            jobs.append(
                {
                    "folder": str(root),
                    "script": example.script,
                    "input_shape": shape,
                    "tweak": tweak,
                }
            )
    assert len(jobs) >= 200
    answers = _build(jobs)
    failed = [
        f"{job['folder']} {job['tweak']}: {answer['error']}"
        for job, answer in zip(jobs, answers, strict=True)
        if "error" in answer
    ]
    assert not failed, "\n".join(failed)


def _build(jobs):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("build_models.py"))],
        input="\n".join(json.dumps(job) for job in jobs),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
