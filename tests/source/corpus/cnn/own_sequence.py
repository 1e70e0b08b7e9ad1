import os
import sys

import cv2
import numpy as np
from keras.layers import Conv2D, Dense, Flatten, MaxPool2D
from keras.models import Sequential
from keras.utils import Sequence

folder = "leaves"
names = sorted(os.listdir(folder))


class Leaves(Sequence):
    def __init__(self, files, batch_size=20):
        super().__init__()
        self.files = files
        self.batch_size = batch_size

    def __len__(self):
        return len(self.files) // self.batch_size

    def __getitem__(self, index):
        part = self.files[index * self.batch_size : (index + 1) * self.batch_size]
        images = [cv2.resize(cv2.imread(each), (64, 64)) / 255.0 for each in part]
        return np.array(images), np.array([names.index(each.split("/")[1]) for each in part])


model = Sequential()
model.add(Conv2D(16, 3, activation="relu", input_shape=(64, 64, 3)))
model.add(MaxPool2D())
model.add(Conv2D(32, 3, activation="relu"))
model.add(MaxPool2D())
model.add(Flatten())
model.add(Dense(96, activation="relu"))
model.add(Dense(len(names), activation="softmax"))
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
files = [f"{folder}/{name}/{file}" for name in names for file in os.listdir(f"{folder}/{name}")]
model.fit(Leaves(files), epochs=int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ["EPOCHS"]))
