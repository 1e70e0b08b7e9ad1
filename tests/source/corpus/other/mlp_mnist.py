from keras.datasets import mnist
from keras.layers import Dense, Dropout, Flatten
from keras.models import Sequential

(x, y), (xt, yt) = mnist.load_data()
model = Sequential()
model.add(Flatten(input_shape=(28, 28)))
model.add(Dense(128, activation='relu'))
model.add(Dropout(0.2))
model.add(Dense(10, activation='softmax'))
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(x / 255, y, epochs=5, validation_data=(xt / 255, yt))
