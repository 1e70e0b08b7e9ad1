import os
import pandas as pd
from keras.models import Sequential
from keras.layers import Conv2D, MaxPooling2D, Dropout, Flatten, Dense, BatchNormalization
from keras.preprocessing.image import ImageDataGenerator

FAST_RUN = False
names = os.listdir("train")
table = pd.DataFrame({"filename": names, "category": [name.split(".")[0] for name in names]})

model = Sequential()
model.add(Conv2D(32, (3, 3), activation='relu', input_shape=(40, 40, 3)))
model.add(BatchNormalization())
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Conv2D(64, (3, 3), activation='relu'))
model.add(BatchNormalization())
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(64, activation='relu'))
model.add(BatchNormalization())
model.add(Dropout(0.5))
model.add(Dense(2, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='rmsprop', metrics=['accuracy'])

train_df = table[: len(table) * 4 // 5]
valid_df = table[len(table) * 4 // 5 :]
train_gen = ImageDataGenerator(rotation_range=15, rescale=1./255, shear_range=0.1, zoom_range=0.2, horizontal_flip=True,
                               width_shift_range=0.1, height_shift_range=0.1)
train = train_gen.flow_from_dataframe(train_df, "train", x_col='filename', y_col='category', target_size=(40, 40),
                                      class_mode='categorical', batch_size=10)
valid = ImageDataGenerator(rescale=1./255).flow_from_dataframe(
    valid_df, "train", x_col='filename', y_col='category', target_size=(40, 40), class_mode='categorical', batch_size=10)
epochs = 3 if FAST_RUN else 50
model.fit_generator(train, epochs=epochs, validation_data=valid)
