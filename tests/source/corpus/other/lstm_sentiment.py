from keras.models import Sequential
from keras.layers import LSTM, Embedding, Dense, SpatialDropout1D
from keras.datasets import imdb
from keras.utils import pad_sequences

(x, y), _ = imdb.load_data(num_words=3000)
model = Sequential()
model.add(Embedding(3000, 32))
model.add(SpatialDropout1D(0.3))
model.add(LSTM(32, dropout=0.2))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(pad_sequences(x, 100), y, epochs=1, batch_size=64)
