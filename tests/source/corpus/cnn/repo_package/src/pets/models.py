import keras
from keras import layers

from .settings import Settings


def block(x, filters):
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    return layers.MaxPooling2D()(x)


def small(settings: Settings):
    inputs = keras.Input((settings.size, settings.size, 3))
    x = inputs
    for filters in settings.filters:
        x = block(x, filters)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(settings.hidden, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
