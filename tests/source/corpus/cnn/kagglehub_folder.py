import os
import kagglehub
from tensorflow import keras
from tensorflow.keras import layers

path = kagglehub.dataset_download("somebody/cats-and-dogs")
print(os.listdir(path))
train = keras.utils.image_dataset_from_directory(os.path.join(path, "train"), image_size=(32, 32), batch_size=8)
val = keras.utils.image_dataset_from_directory(os.path.join(path, "validation"), image_size=(32, 32), batch_size=8)

model = keras.Sequential([
    layers.Input(shape=(32, 32, 3)),
    layers.Rescaling(1.0 / 255),
    layers.Conv2D(16, 3, activation="relu"),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(24, activation="relu"),
    layers.Dense(2, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=val, epochs=2)
