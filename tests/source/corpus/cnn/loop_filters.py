from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Input, Conv2D, MaxPooling2D, GlobalAveragePooling2D, Dense
from tensorflow.keras.utils import image_dataset_from_directory

train = image_dataset_from_directory("photos/train", image_size=(56, 56), batch_size=16)
test = image_dataset_from_directory("photos/test", image_size=(56, 56), batch_size=16)

model = Sequential()
model.add(Input((56, 56, 3)))
for filters in [16, 32, 64]:
    model.add(Conv2D(filters, 3, padding="same", activation="relu"))
    model.add(MaxPooling2D())
model.add(GlobalAveragePooling2D())
model.add(Dense(2, activation="softmax"))

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=test, epochs=20)
