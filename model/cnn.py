"""Cats or dogs? A convolutional network with two blocks."""

import os

from tensorflow.keras.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D
from tensorflow.keras.models import Sequential
from tensorflow.keras.preprocessing.image import ImageDataGenerator

IMAGE_SIZE = (64, 64)
BATCH_SIZE = 32
EPOCHS = 5

# The images: dataset/<split>/<class>/<image>
train_generator = ImageDataGenerator(rescale=1.0 / 255)
validation_generator = ImageDataGenerator(rescale=1.0 / 255)

train_set = train_generator.flow_from_directory(
    "dataset/train",
    target_size=IMAGE_SIZE,
    batch_size=BATCH_SIZE,
    class_mode="binary",
)
validation_set = validation_generator.flow_from_directory(
    "dataset/validation",
    target_size=IMAGE_SIZE,
    batch_size=BATCH_SIZE,
    class_mode="binary",
    shuffle=False,
)

# The network
model = Sequential()
model.add(Input(shape=(64, 64, 3)))
model.add(Conv2D(32, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(32, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(units=128, activation="relu"))
model.add(Dense(units=1, activation="sigmoid"))

model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.summary()

history = model.fit(train_set, epochs=EPOCHS, validation_data=validation_set)
print(f"Validation accuracy: {history.history['val_accuracy'][-1]:.3f}")

# A folder of its own for a last look, where there is one
if os.path.isdir("dataset/test"):
    test_set = validation_generator.flow_from_directory(
        "dataset/test",
        target_size=IMAGE_SIZE,
        batch_size=BATCH_SIZE,
        class_mode="binary",
        shuffle=False,
    )
    loss, accuracy = model.evaluate(test_set)
    print(f"Test accuracy: {accuracy:.3f}")
