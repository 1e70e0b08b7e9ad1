from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, Dropout
from tensorflow.keras.optimizers import RMSprop
from tensorflow.keras.preprocessing.image import ImageDataGenerator

# settings
TRAIN_DIR = 'data/train'
TEST_DIR = 'data/test'
IMG_SIZE = 64
BATCH_SIZE = 16
EPOCHS = 10
LEARNING_RATE = 1e-3
FIRST = 32
SECOND = 64
KERNEL = (3, 3)
DROPOUT = 0.5

model = Sequential()
model.add(Conv2D(FIRST, KERNEL, activation='relu', input_shape=(IMG_SIZE, IMG_SIZE, 3)))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(SECOND, KERNEL, activation='relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Dropout(DROPOUT))
model.add(Flatten())
model.add(Dense(128, activation='relu'))
model.add(Dropout(DROPOUT))
model.add(Dense(1, activation='sigmoid'))
model.compile(optimizer=RMSprop(learning_rate=LEARNING_RATE), loss='binary_crossentropy', metrics=['accuracy'])

train = ImageDataGenerator(rescale=1. / 255, rotation_range=20, horizontal_flip=True).flow_from_directory(
    TRAIN_DIR, target_size=(IMG_SIZE, IMG_SIZE), batch_size=BATCH_SIZE, class_mode='binary')
test = ImageDataGenerator(rescale=1. / 255).flow_from_directory(
    TEST_DIR, target_size=(IMG_SIZE, IMG_SIZE), batch_size=BATCH_SIZE, class_mode='binary')

model.fit(train, steps_per_epoch=train.samples // BATCH_SIZE, epochs=EPOCHS,
          validation_data=test, validation_steps=test.samples // BATCH_SIZE)
