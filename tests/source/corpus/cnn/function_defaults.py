import numpy as np
from keras import models, layers, optimizers
from keras.datasets import fashion_mnist


def create_model(filters=32, kernel_size=3, hidden=100, rate=0.25, lr=0.001):
    model = models.Sequential()
    model.add(layers.Conv2D(filters, kernel_size, activation='relu', input_shape=(28, 28, 1)))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(hidden, activation='relu'))
    model.add(layers.Dropout(rate))
    model.add(layers.Dense(10, activation='softmax'))
    model.compile(optimizer=optimizers.Adam(lr), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
    return model


def train(model, epochs=3, batch_size=200):
    (x, y), (xt, yt) = fashion_mnist.load_data()
    x, xt = np.expand_dims(x, -1) / 255, np.expand_dims(xt, -1) / 255
    return model.fit(x, y, batch_size=batch_size, epochs=epochs, validation_data=(xt, yt))


if __name__ == '__main__':
    train(create_model(hidden=80))
