from tensorflow.keras.models import *
from tensorflow.keras.layers import *
from tensorflow.keras.optimizers import *
from tensorflow.keras.preprocessing.image import *

model = Sequential()
model.add(Conv2D(20, (5, 5), padding='same', input_shape=(50, 50, 3)))
model.add(Activation('relu'))
model.add(AveragePooling2D((2, 2)))
model.add(Conv2D(40, (5, 5), padding='same'))
model.add(Activation('relu'))
model.add(AveragePooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(120, activation='relu'))
model.add(Dense(2, activation='softmax'))
model.compile(optimizer=Adamax(learning_rate=0.002), loss='categorical_crossentropy', metrics=['accuracy'])

images = ImageDataGenerator(rescale=1./255)
train = images.flow_from_directory('dataset/train', (50, 50), batch_size=25)
valid = images.flow_from_directory('dataset/valid', (50, 50), batch_size=25)
model.fit(train, epochs=4, validation_data=valid)
