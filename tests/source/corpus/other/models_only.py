"""Architectures for the other scripts."""
from tensorflow.keras import layers, models


def lenet(shape, classes):
    model = models.Sequential()
    model.add(layers.Conv2D(6, 5, activation="tanh", input_shape=shape))
    model.add(layers.AveragePooling2D())
    model.add(layers.Conv2D(16, 5, activation="tanh"))
    model.add(layers.AveragePooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(120, activation="tanh"))
    model.add(layers.Dense(classes, activation="softmax"))
    return model
