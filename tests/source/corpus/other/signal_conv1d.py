import numpy as np
import tensorflow as tf

x = np.load("ecg.npy")
y = np.load("labels.npy")
model = tf.keras.Sequential([
    tf.keras.layers.Conv1D(16, 7, activation="relu", input_shape=(187, 1)),
    tf.keras.layers.MaxPooling1D(2),
    tf.keras.layers.Flatten(),
    tf.keras.layers.Dense(5, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=4)
