import tensorflow as tf
from tensorflow.keras import layers

N = 32
SIZE = (N, N)
KERNEL = 3

model = tf.keras.Sequential()
model.add(layers.Conv2D(N, KERNEL, activation="relu", input_shape=SIZE + (3,)))
model.add(layers.MaxPooling2D())
model.add(layers.Conv2D(N, KERNEL, activation="relu"))
model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(N, activation="relu"))
model.add(layers.Dense(2, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

train = tf.keras.utils.image_dataset_from_directory("data/train", image_size=SIZE, batch_size=8)
val = tf.keras.utils.image_dataset_from_directory("data/val", image_size=SIZE, batch_size=8)
model.fit(train, epochs=10 // 2, validation_data=val)
