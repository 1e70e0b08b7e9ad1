from tensorflow.keras import Sequential, layers
from tensorflow.keras.optimizers import Adam

import config


def build_network(classes):
    model = Sequential()
    model.add(layers.Conv2D(18, (3, 3), activation="relu", input_shape=(config.SIZE, config.SIZE, 3)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(36, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(72, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=config.RATE), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
