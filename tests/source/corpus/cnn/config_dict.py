import os
import tensorflow as tf

CONFIG = {
    "data": "dataset",
    "size": 48,
    "batch": 24,
    "epochs": 6,
    "lr": 0.002,
    "filters": [16, 32],
    "dense": {"units": 64, "dropout": 0.25},
}


def load(part):
    return tf.keras.utils.image_dataset_from_directory(
        os.path.join(CONFIG["data"], part),
        image_size=(CONFIG["size"], CONFIG["size"]),
        batch_size=CONFIG["batch"],
    )


def build(config):
    model = tf.keras.Sequential()
    model.add(tf.keras.layers.Input(shape=(config["size"], config["size"], 3)))
    model.add(tf.keras.layers.Conv2D(config["filters"][0], 3, activation="relu"))
    model.add(tf.keras.layers.MaxPooling2D())
    model.add(tf.keras.layers.Conv2D(config["filters"][1], 3, activation="relu"))
    model.add(tf.keras.layers.MaxPooling2D())
    model.add(tf.keras.layers.Flatten())
    model.add(tf.keras.layers.Dense(config["dense"]["units"], activation="relu"))
    model.add(tf.keras.layers.Dropout(config["dense"]["dropout"]))
    model.add(tf.keras.layers.Dense(2, activation="softmax"))
    model.compile(
        optimizer=tf.keras.optimizers.Adam(config["lr"]),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


model = build(CONFIG)
model.fit(load("train"), validation_data=load("val"), epochs=CONFIG["epochs"])
