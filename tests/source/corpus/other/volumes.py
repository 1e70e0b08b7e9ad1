import numpy as np
import keras
from keras.layers import Conv3D, Dense, Flatten, MaxPooling3D

model = keras.Sequential()
model.add(Conv3D(8, 3, activation="relu", input_shape=(16, 16, 16, 1)))
model.add(MaxPooling3D(2))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(np.zeros((10, 16, 16, 16, 1)), np.zeros(10), epochs=1)
