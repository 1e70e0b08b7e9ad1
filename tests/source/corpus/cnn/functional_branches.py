import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

(train_x, train_y), (test_x, test_y) = keras.datasets.cifar10.load_data()
train_x, test_x = train_x / 255.0, test_x / 255.0

image = keras.Input(shape=train_x.shape[1:], name="image")
small = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
large = layers.Conv2D(16, 5, padding="same", activation="relu")(image)
both = layers.concatenate([small, large])
pooled = layers.MaxPooling2D(2)(both)
deeper = layers.Conv2D(32, 3, activation="relu")(pooled)
features = layers.GlobalAveragePooling2D()(deeper)
hidden = layers.Dense(64, activation="relu")(features)
scores = layers.Dense(10, activation="softmax")(hidden)

model = keras.Model(inputs=image, outputs=scores)
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
model.fit(train_x, train_y, batch_size=64, epochs=4, validation_data=(test_x, test_y))
