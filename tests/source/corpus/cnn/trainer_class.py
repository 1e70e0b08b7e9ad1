import tensorflow as tf
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from tensorflow.keras.models import Sequential


class PetTrainer:
    IMAGE = (60, 60)
    BATCH = 10
    EPOCHS = 3

    def __init__(self, folder="pets", units=70):
        self.folder = folder
        self.units = units
        self.model = None
        self.optimizer = tf.keras.optimizers.Adam(learning_rate=3e-4)

    def load(self):
        self.train = tf.keras.utils.image_dataset_from_directory(
            self.folder + "/train", image_size=self.IMAGE, batch_size=self.BATCH)
        self.valid = tf.keras.utils.image_dataset_from_directory(
            self.folder + "/valid", image_size=self.IMAGE, batch_size=self.BATCH)

    def build(self):
        self.model = Sequential()
        self.model.add(Conv2D(16, (3, 3), activation="relu", input_shape=self.IMAGE + (3,)))
        self.model.add(MaxPooling2D((2, 2)))
        self.model.add(Conv2D(32, (3, 3), activation="relu"))
        self.model.add(MaxPooling2D((2, 2)))
        self.model.add(Flatten())
        self.model.add(Dense(self.units, activation="relu"))
        self.model.add(Dense(2, activation="softmax"))
        self.model.compile(optimizer=self.optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def fit(self):
        return self.model.fit(self.train, validation_data=self.valid, epochs=self.EPOCHS)


trainer = PetTrainer()
trainer.load()
trainer.build()
trainer.fit()
