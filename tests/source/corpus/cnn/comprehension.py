import tensorflow as tf
from tensorflow.keras import layers as kl

widths = (12, 24)
stack = [
    layer
    for width in widths
    for layer in (kl.Conv2D(width, 3, activation="relu"), kl.MaxPool2D(2))
]
model = tf.keras.models.Sequential(
    [kl.InputLayer(input_shape=(32, 32, 3))]
    + stack
    + [kl.Flatten(), kl.Dense(40, activation="relu"), kl.Dense(10, activation="softmax")]
)
(x, y), (vx, vy) = tf.keras.datasets.cifar10.load_data()
model.compile(tf.keras.optimizers.SGD(learning_rate=0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x / 255.0, y, epochs=3, batch_size=40, validation_data=(vx / 255.0, vy))
