from functools import partial

from tensorflow import keras

(X, y), (X_valid, y_valid) = keras.datasets.fashion_mnist.load_data()
X, X_valid = X[..., None] / 255.0, X_valid[..., None] / 255.0

Conv = partial(keras.layers.Conv2D, kernel_size=3, activation="relu", padding="same")

model = keras.models.Sequential([
    Conv(filters=16, kernel_size=7, input_shape=[28, 28, 1]),
    keras.layers.MaxPooling2D(pool_size=2),
    Conv(filters=32),
    Conv(filters=32),
    keras.layers.MaxPooling2D(pool_size=2),
    keras.layers.Flatten(),
    keras.layers.Dense(units=48, activation="relu"),
    keras.layers.Dropout(0.5),
    keras.layers.Dense(units=10, activation="softmax"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer="nadam", metrics=["accuracy"])
model.fit(X, y, epochs=2, validation_data=(X_valid, y_valid))
