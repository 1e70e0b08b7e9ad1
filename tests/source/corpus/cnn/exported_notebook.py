#!/usr/bin/env python
# coding: utf-8
%matplotlib inline
!pip install tensorflow

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

files = !ls
(x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
x_train = np.expand_dims(x_train, -1) / 255.0
x_test = np.expand_dims(x_test, -1) / 255.0

model = keras.Sequential([
    layers.Conv2D(24, 3, activation="relu", input_shape=(28, 28, 1)),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(48, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=2, batch_size=32, validation_data=(x_test, y_test))
