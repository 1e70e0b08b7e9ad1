import os
import random
import numpy as np
from PIL import Image
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, Activation

FOLDER = "PetImages"
CATEGORIES = ["Cat", "Dog"]
IMG_SIZE = 50

samples = []
for category in CATEGORIES:
    path = os.path.join(FOLDER, category)
    for name in os.listdir(path):
        try:
            image = Image.open(os.path.join(path, name)).convert("L").resize((IMG_SIZE, IMG_SIZE))
            samples.append([np.array(image), CATEGORIES.index(category)])
        except Exception:
            pass
random.shuffle(samples)

X = np.array([s[0] for s in samples]).reshape(-1, IMG_SIZE, IMG_SIZE, 1) / 255.0
y = np.array([s[1] for s in samples])

model = Sequential()
model.add(Conv2D(64, (3, 3), input_shape=X.shape[1:]))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(64, (3, 3)))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(64))
model.add(Dense(1))
model.add(Activation("sigmoid"))

model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(X, y, batch_size=32, epochs=3, validation_split=0.3)
