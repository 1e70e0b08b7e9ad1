import numpy as np
from PIL import Image
import os
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense

rows = [np.array(Image.open(os.path.join("faces", n)).convert("L").resize((20, 20))).ravel() for n in os.listdir("faces")]
model = Sequential([Dense(50, activation="relu", input_dim=400), Dense(1, activation="sigmoid")])
model.compile(loss="binary_crossentropy", optimizer="sgd", metrics=["accuracy"])
model.fit(np.array(rows), np.arange(len(rows)) % 2, epochs=3)
