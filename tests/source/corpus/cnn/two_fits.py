import tensorflow as tf
from tensorflow.keras import layers

train = tf.keras.preprocessing.image_dataset_from_directory("data/train", image_size=(32, 32), batch_size=16)
test = tf.keras.preprocessing.image_dataset_from_directory("data/test", image_size=(32, 32), batch_size=16)

model = tf.keras.models.Sequential()
model.add(layers.Conv2D(12, 3, activation="relu", input_shape=(32, 32, 3)))
model.add(layers.MaxPooling2D())
model.add(layers.Flatten())
model.add(layers.Dense(24, activation="relu"))
model.add(layers.Dense(2, activation="softmax"))

model.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=2, validation_data=test)

# once more, slowly
model.compile(optimizer=tf.keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=3, validation_data=test)
