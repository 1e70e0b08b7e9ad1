"""Picks photos out of one folder, by their numbers, into the folders that it trains on."""

import os
import shutil

from keras import layers, models
from keras.preprocessing.image import ImageDataGenerator

everything = "/Users/jo/Downloads/photos/all"
target = "/Users/jo/Downloads/photos_small"

os.mkdir(target)
train_dir = os.path.join(target, "train")
os.mkdir(train_dir)
validation_dir = os.path.join(target, "validation")
os.mkdir(validation_dir)

for kind in ("cats", "dogs"):
    for folder, numbers in ((train_dir, range(1000)), (validation_dir, range(1000, 1500))):
        into = os.path.join(folder, kind)
        os.mkdir(into)
        for number in numbers:
            name = "{}.{}.jpg".format(kind[:-1], number)
            shutil.copyfile(os.path.join(everything, name), os.path.join(into, name))
        print(into, len(numbers))

model = models.Sequential()
model.add(layers.Conv2D(16, (3, 3), activation="relu", input_shape=(64, 64, 3)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(32, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["acc"])

flow = ImageDataGenerator(rescale=1.0 / 255)
train = flow.flow_from_directory(
    train_dir, target_size=(64, 64), batch_size=10, class_mode="binary"
)
validation = flow.flow_from_directory(
    validation_dir, target_size=(64, 64), batch_size=10, class_mode="binary"
)
history = model.fit_generator(train, epochs=20, validation_data=validation)
model.save("photos_small.h5")
