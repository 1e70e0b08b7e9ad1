"""Tweaks in words."""

import pytest

from jobs.source.words import describe


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {}, "no change"),
        ({"fit.epochs": 5}, {"fit.epochs": 9}, "epochs 5 → 9"),
        (
            {"blocks": 2, "dropout1.rate": 0.0, "optimizer.learning_rate": 0.001},
            {"blocks": 3, "conv3.filters": 64, "conv3.kernel_size": 3, "dropout1.rate": 0.3,
             "optimizer.learning_rate": 0.0003},
            "third block (64 filters, 3×3), dropout1.rate 0 → 0.3, learning rate 0.001 → 0.0003",
        ),
        ({"blocks": 3}, {"blocks": 1}, "without the second and the third block"),
        ({"batch_norm": False}, {"batch_norm": True}, "with batch normalisation"),
        ({"optimizer.use_ema": False}, {"optimizer.use_ema": True}, "with averaged weights"),
        (
            {"optimizer.weight_decay": 0.0},
            {"optimizer.weight_decay": 0.01},
            "weight decay 0 → 0.01",
        ),
        ({"optimizer.use_ema": True}, {"optimizer.use_ema": False}, "without averaged weights"),
        (
            {"fit.epochs": 5, "fit.reduce_lr_on_plateau": False},
            {"fit.epochs": 9, "fit.reduce_lr_on_plateau": True},
            "learning rate reduced on plateaus, epochs 5 → 9",
        ),
        (
            {"fit.reduce_lr_on_plateau": True},
            {"fit.reduce_lr_on_plateau": False},
            "learning rate no longer reduced on plateaus",
        ),
        ({"conv1.kernel_size": 3}, {"conv1.kernel_size": 5}, "conv1 kernel size 3×3 → 5×5"),
        ({"augmentation": "none"}, {"augmentation": "light"}, "augmentation none → light"),
    ],
)  # fmt: skip
def test_described(before, after, words):
    assert describe(before, after) == words
