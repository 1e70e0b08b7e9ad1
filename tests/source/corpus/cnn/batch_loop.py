import numpy as np
import keras
from keras import layers

epochs = 2
(x, y), (xt, yt) = keras.datasets.mnist.load_data()
x = x.reshape(-1, 28, 28, 1) / 255.0

model = keras.Sequential([
    layers.Input((28, 28, 1)),
    layers.Conv2D(6, 5, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Conv2D(16, 5, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Flatten(),
    layers.Dense(84, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(0.1), metrics=["accuracy"])
for epoch in range(epochs):
    for start in range(0, len(x), 100):
        model.train_on_batch(x[start:start + 100], y[start:start + 100])
