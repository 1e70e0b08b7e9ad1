import keras
from keras.layers import *

depth = 3
base = 8

net = keras.Sequential()
net.add(Input(shape=(28, 28, 1)))
for i in range(depth):
    net.add(Conv2D(base * 2 ** i, (3, 3), padding='same', activation='relu'))
    net.add(MaxPooling2D((2, 2)))
net.add(Flatten())
net.add(Dense(32, activation='tanh'))
net.add(Dense(10, activation='softmax'))

(a, b), (c, d) = keras.datasets.mnist.load_data()
a = a.reshape(-1, 28, 28, 1) / 255.
c = c.reshape(-1, 28, 28, 1) / 255.
net.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adagrad(learning_rate=.05), metrics=['accuracy'])
net.fit(a, b, 50, 2, validation_data=(c, d))
