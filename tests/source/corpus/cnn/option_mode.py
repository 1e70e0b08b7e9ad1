import argparse

from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from tensorflow.keras.models import Sequential
from tensorflow.keras.preprocessing.image import ImageDataGenerator

parser = argparse.ArgumentParser()
parser.add_argument("--mode", help="train or show")
mode = parser.parse_args().mode

batch_size = 32
faces = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "faces/train",
    target_size=(48, 48),
    batch_size=batch_size,
    color_mode="grayscale",
    class_mode="categorical",
)

model = Sequential()
model.add(Conv2D(24, (3, 3), activation="relu", input_shape=(48, 48, 1)))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(48, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(64, activation="relu"))
model.add(Dense(7, activation="softmax"))

if mode == "train":
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(faces, epochs=6)
    model.save_weights("faces.weights.h5")
elif mode == "show":
    model.load_weights("faces.weights.h5")
