"""Convolutions by oneDNN, on processors on which TensorFlow does not take it by itself."""

import os


def ask_for_onednn() -> None:
    """Have TensorFlow compute with oneDNN. To be called before TensorFlow is imported.

    By itself TensorFlow does so only where the processor has instructions for neural networks
    (AVX512_VNNI and newer). With AVX2 alone the same trainings took 1.5 to 1.8 times as long.
    An operator's own ``TF_ENABLE_ONEDNN_OPTS`` holds.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
