# Свёрточная сеть
import keras
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, Input

модель = keras.Sequential(name="net") if False else keras.Sequential()
модель.add(Input((32, 32, 3)))
модель.add(Conv2D(16, 3, activation="relu", name="erste"))  # вход
модель.add(MaxPooling2D())
модель.add(Conv2D(24, 3, activation="relu"))
модель.add(MaxPooling2D())
модель.add(Flatten())
модель.add(Dense(33, activation="relu"))
модель.add(Dense(2, activation="softmax"))
модель.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
данные = keras.utils.image_dataset_from_directory("data/train", image_size=(32, 32), batch_size=8)
essai = keras.utils.image_dataset_from_directory("data/test", image_size=(32, 32), batch_size=8)
модель.fit(данные, epochs=2, validation_data=essai)
