import tensorflow as tf
from tensorflow.keras import layers, Sequential
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.optimizers.schedules import ExponentialDecay

train = tf.keras.utils.image_dataset_from_directory("data/train", image_size=(32, 32), batch_size=8)
val = tf.keras.utils.image_dataset_from_directory("data/val", image_size=(32, 32), batch_size=8)

schedule = ExponentialDecay(initial_learning_rate=0.004, decay_steps=100, decay_rate=0.9)
model = Sequential(layers=[
    layers.Input(shape=(32, 32, 3)),
    layers.Conv2D(filters=14, kernel_size=[3, 3], activation="relu"),
    layers.MaxPool2D(pool_size=[2, 2]),
    layers.Conv2D(filters=28, kernel_size=[3, 3], activation="relu"),
    layers.MaxPool2D(pool_size=[2, 2]),
    layers.Flatten(),
    layers.Dense(units=2, activation="softmax"),
])
model.compile(optimizer=Adam(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=2, validation_data=val)
