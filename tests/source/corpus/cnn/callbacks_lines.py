"""Flowers, with callbacks on lines of their own."""

import tensorflow as tf
from tensorflow.keras import callbacks, layers

SIZE = (48, 48)

train = tf.keras.utils.image_dataset_from_directory("flowers/train", image_size=SIZE, batch_size=24)
valid = tf.keras.utils.image_dataset_from_directory("flowers/valid", image_size=SIZE, batch_size=24)

model = tf.keras.Sequential(
    [
        layers.Input((*SIZE, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    train,
    validation_data=valid,
    epochs=12,
    callbacks=[
        # What is best is kept.
        callbacks.ModelCheckpoint("best.keras", save_best_only=True),
        callbacks.EarlyStopping(patience=4),  # enough is enough
    ],
)
