from keras.datasets import imdb
from keras.models import Sequential
from keras.layers import Embedding, Conv1D, GlobalMaxPooling1D, Dense, Dropout, Activation
from keras.preprocessing import sequence

(x, y), (xt, yt) = imdb.load_data(num_words=5000)
x, xt = sequence.pad_sequences(x, maxlen=400), sequence.pad_sequences(xt, maxlen=400)
model = Sequential()
model.add(Embedding(5000, 50, input_length=400))
model.add(Dropout(0.2))
model.add(Conv1D(250, 3, padding='valid', activation='relu'))
model.add(GlobalMaxPooling1D())
model.add(Dense(1))
model.add(Activation('sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
model.fit(x, y, batch_size=32, epochs=2, validation_data=(xt, yt))
