# -*- coding: utf-8 -*-
import sys
from keras.models import Sequential
from keras.layers import Dense, Dropout, Flatten, Conv2D, MaxPooling2D
from keras.datasets import mnist
from keras.utils import np_utils
from keras.optimizers import SGD

batch_size = 64
print 'Loading', 'MNIST'
(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train.reshape(len(X_train), 28, 28, 1) / 255.
X_test = X_test.reshape(len(X_test), 28, 28, 1) / 255.
y_train, y_test = [np_utils.to_categorical(y, 10) for y in (y_train, y_test)]
try:
    names = {}['none']
except KeyError, error:
    print >>sys.stderr, error

def build(rate=0.25):
    model = Sequential()
    model.add(Conv2D(16, (3, 3), activation='relu', input_shape=(28, 28, 1)))
    model.add(MaxPooling2D((2, 2))); print "one block of %d filters" % 16
    model.add(Dropout(rate))
    model.add(Flatten())
    model.add(Dense(32, activation='relu'))
    model.add(Dense(10, activation='softmax'))
    return model

model = build()
model.compile(loss='categorical_crossentropy', optimizer=SGD(lr=0.05, momentum=0.9), metrics=['accuracy'])
for i in range(1):
    model.fit(X_train, y_train, batch_size=batch_size, epochs=2, validation_data=(X_test, y_test))
score = model.evaluate(X_test, y_test, verbose=0)
print "Accuracy: %.2f%%" % (score[1] * 100)
