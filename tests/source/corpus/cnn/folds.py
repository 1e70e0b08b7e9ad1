import numpy as np
from keras.models import Sequential
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dense
from keras.datasets import mnist

FOLDS = 3


def make():
    model = Sequential()
    model.add(Conv2D(8, (3, 3), activation='relu', kernel_initializer='he_uniform', input_shape=(28, 28, 1)))
    model.add(MaxPooling2D((2, 2)))
    model.add(Flatten())
    model.add(Dense(30, activation='relu', kernel_initializer='he_uniform'))
    model.add(Dense(10, activation='softmax'))
    model.compile(optimizer='sgd', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
    return model


(x, y), _ = mnist.load_data()
x = x.reshape((x.shape[0], 28, 28, 1)) / 255.0
parts = np.array_split(np.arange(len(x)), FOLDS)
scores = []
for fold in range(FOLDS):
    test = parts[fold]
    train = np.concatenate([p for i, p in enumerate(parts) if i != fold])
    model = make()
    model.fit(x[train], y[train], epochs=2, batch_size=64, validation_data=(x[test], y[test]), verbose=0)
    scores.append(model.evaluate(x[test], y[test], verbose=0)[1])
print(np.mean(scores))
