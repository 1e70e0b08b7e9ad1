from keras.layers import Conv2D, Dense, Embedding, Flatten, MaxPooling2D, Reshape
from keras.models import Sequential
from keras.datasets import imdb
from keras.utils import pad_sequences

(x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=4000)
x_train, x_test = pad_sequences(x_train, 120), pad_sequences(x_test, 120)

model = Sequential()
model.add(Embedding(4000, 64))
model.add(Reshape((120, 64, 1)))
model.add(Conv2D(50, (5, 64), activation="relu"))
model.add(MaxPooling2D((116, 1)))
model.add(Flatten())
model.add(Dense(1, activation="sigmoid"))
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=50, epochs=3, validation_data=(x_test, y_test))
