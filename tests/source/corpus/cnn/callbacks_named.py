from keras.callbacks import CSVLogger, EarlyStopping
from keras.datasets import mnist
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential

(x_train, y_train), (x_test, y_test) = mnist.load_data()

model = Sequential()
model.add(Conv2D(8, (3, 3), activation='relu', input_shape=(28, 28, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(10, activation='softmax'))
model.compile(loss='sparse_categorical_crossentropy', optimizer='sgd', metrics=['accuracy'])

stop = EarlyStopping(monitor='val_loss', patience=2)
watching = [CSVLogger('log.csv'),
            stop]
model.fit(x_train[..., None] / 255, y_train, batch_size=64, epochs=8, callbacks=watching,
          validation_data=(x_test[..., None] / 255, y_test))
