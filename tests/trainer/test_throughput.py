"""What makes a training quick is in place, and changes nothing of what is computed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tiny import DATA, MODEL, read_json

DOCKER = Path(__file__).parents[2] / "docker"

FAULTS = """
import resource, sys
{before}
def work():
    blocks = [bytearray(3_000_000) for _ in range(8)]
    return sum(len(each) for each in blocks)

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(before: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(before=before)],
        env=os.environ | {"PYTHONPATH": str(DOCKER)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux' own")
def test_large_blocks_are_used_again_without_page_faults():
    # Without it each round maps its eight blocks anew: some 730 pages each.
    assert page_faults("from trainer.allocator import keep_memory; keep_memory()") < 5_000


@pytest.mark.tensorflow
def test_pipelines_are_not_tuned_while_they_run_unless_the_script_says_so(study):
    script = """
    import json
    import tensorflow as tf
    from tensorflow.python.data.ops import iterator_ops

    seen = []
    original = iterator_ops.OwnedIterator.__init__

    def note(self, dataset=None, **named):
        if dataset is not None:
            seen.append(dataset.options().autotune.enabled)
        original(self, dataset, **named)

    iterator_ops.OwnedIterator.__init__ = note
    numbers = [int(each) for each in tf.data.Dataset.range(4).map(lambda x: 2 * x)]
    options = tf.data.Options()
    options.autotune.enabled = True
    list(tf.data.Dataset.range(2).with_options(options))
    own = list(seen)
    """
    fit = """
    model.fit(x[:64], y[:64], epochs=2, validation_data=(x[64:80], y[64:80]))
    json.dump([numbers, own, seen[len(own):]], open("seen.json", "w"))
    """
    result, spool = study.run(
        textwrap.dedent(script) + DATA + MODEL + textwrap.dedent(fit), target=None
    )
    assert result.outcome == "complete", result.reason
    numbers, own, by_keras = read_json(spool, "seen.json")
    assert numbers == [0, 2, 4, 6]
    assert own == [False, True]
    assert by_keras
    assert set(by_keras) == {False}
