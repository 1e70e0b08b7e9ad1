"""Written for Theano: the settings on its author's machine put the channels first."""
from keras.datasets import cifar10
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.layers.core import Activation, Dense, Dropout, Flatten
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils import np_utils

classes, colours = 10, 3
side = 32

(X, y), (X_later, y_later) = cifar10.load_data()
Y = np_utils.to_categorical(y, classes)
Y_later = np_utils.to_categorical(y_later, classes)
X = X.astype('float32') / 255
X_later = X_later.astype('float32') / 255

net = Sequential()
net.add(Convolution2D(24, 3, 3, border_mode='same', input_shape=(colours, side, side)))
net.add(Activation('relu'))
net.add(MaxPooling2D(pool_size=(2, 2)))
net.add(Convolution2D(48, 3, 3))
net.add(Activation('relu'))
net.add(MaxPooling2D(pool_size=(2, 2)))
net.add(Flatten())
net.add(Dense(96))
net.add(Activation('relu'))
net.add(Dropout(0.5))
net.add(Dense(classes))
net.add(Activation('softmax'))
net.compile(loss='categorical_crossentropy', optimizer=SGD(lr=0.01, momentum=0.9, nesterov=True))

net.fit(X, Y, nb_epoch=30, batch_size=32, validation_data=(X_later, Y_later), show_accuracy=True)
net.save_weights('order.h5', overwrite=True)
