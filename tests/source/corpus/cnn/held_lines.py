import tensorflow as tf
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

EPOCHS = 4  # retune: fixed
model = tf.keras.Sequential()
model.add(Conv2D(16, (3, 3), activation="relu", input_shape=(32, 32, 3)))  # retune: fixed
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(32, (3, 3), activation="relu"))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(20, activation="relu"))
model.add(Dense(2, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
train = tf.keras.utils.image_dataset_from_directory("data/train", image_size=(32, 32), batch_size=8)
val = tf.keras.utils.image_dataset_from_directory("data/val", image_size=(32, 32), batch_size=8)
model.fit(train, epochs=EPOCHS, validation_data=val)
