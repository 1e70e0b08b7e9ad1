from keras.models import Sequential
from keras.layers import InputLayer, Conv2D, BatchNormalization, Activation, MaxPool2D, Flatten, Dense, Dropout
from keras.preprocessing.image import ImageDataGenerator


def add_block(model, filters, kernel=(3, 3)):
    model.add(Conv2D(filters, kernel, padding='same'))
    model.add(BatchNormalization())
    model.add(Activation('relu'))
    model.add(MaxPool2D((2, 2)))


model = Sequential()
model.add(InputLayer(input_shape=(32, 32, 3)))
add_block(model, 16)
add_block(model, 32, (5, 5))
add_block(model, 64)
model.add(Flatten())
model.add(Dense(50, activation='relu'))
model.add(Dropout(.3))
model.add(Dense(2, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='sgd', metrics=['acc'])

gen = ImageDataGenerator(rescale=1 / 255)
train = gen.flow_from_directory('flowers/train', target_size=(32, 32), batch_size=8)
test = gen.flow_from_directory('flowers/test', target_size=(32, 32), batch_size=8)
model.fit(train, epochs=3, validation_data=test)
