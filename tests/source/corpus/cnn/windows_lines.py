from keras.models import Sequential
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dense
from keras.utils import image_dataset_from_directory

def network():
	model = Sequential()
	model.add(Conv2D(16, (3, 3), activation="relu", input_shape=(32, 32, 3)))	# first
	model.add(MaxPooling2D((2, 2)))
	model.add(Conv2D(32, (3, 3), activation="relu"))
	model.add(MaxPooling2D((2, 2)))
	model.add(Flatten())
	model.add(Dense(64, activation="relu"))
	model.add(Dense(2, activation="softmax"))
	return model

model = network()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(image_dataset_from_directory("data/train", image_size=(32, 32), batch_size=8),
	validation_data=image_dataset_from_directory("data/val", image_size=(32, 32), batch_size=8),
	epochs=5)
