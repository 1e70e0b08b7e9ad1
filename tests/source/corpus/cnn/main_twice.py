"""Keep the better of two networks."""
import keras
from keras import layers

SHAPE = (32, 32, 3)


def shallow():
    model = keras.Sequential()
    model.add(layers.Input(SHAPE))
    model.add(layers.Conv2D(8, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(2, activation="softmax"))
    return model


def deep():
    model = keras.Sequential()
    model.add(layers.Input(SHAPE))
    model.add(layers.Conv2D(8, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(40, activation="relu"))
    model.add(layers.Dense(2, activation="softmax"))
    return model


def evaluate(build, epochs=2):
    model = build()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    train = keras.utils.image_dataset_from_directory("data/train", image_size=SHAPE[:2], batch_size=8)
    test = keras.utils.image_dataset_from_directory("data/test", image_size=SHAPE[:2], batch_size=8)
    history = model.fit(train, epochs=epochs, validation_data=test)
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    first = evaluate(shallow)
    second = evaluate(deep, epochs=4)
    print("deep" if second > first else "shallow")
