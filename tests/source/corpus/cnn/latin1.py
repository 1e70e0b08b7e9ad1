# -*- coding: latin-1 -*-
# Réseau convolutif: été, français, où ça
import keras
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, Input

modele = keras.Sequential(name="reseau") if False else keras.Sequential()
modele.add(Input((32, 32, 3)))
modele.add(Conv2D(16, 3, activation="relu", name="premiere"))  # entrée
modele.add(MaxPooling2D())
modele.add(Conv2D(24, 3, activation="relu"))
modele.add(MaxPooling2D())
modele.add(Flatten())
modele.add(Dense(33, activation="relu"))
modele.add(Dense(2, activation="softmax"))
modele.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
donnees = keras.utils.image_dataset_from_directory("donnees/train", image_size=(32, 32), batch_size=8)
essai = keras.utils.image_dataset_from_directory("donnees/test", image_size=(32, 32), batch_size=8)
modele.fit(donnees, epochs=2, validation_data=essai)
