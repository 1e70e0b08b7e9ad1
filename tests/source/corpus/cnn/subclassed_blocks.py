from tensorflow import keras
from tensorflow.keras import layers


class ConvBlock(layers.Layer):
    def __init__(self, filters, kernel=3):
        super().__init__()
        self.conv = layers.Conv2D(filters, kernel, padding="same")
        self.norm = layers.BatchNormalization()
        self.pool = layers.MaxPooling2D()

    def call(self, inputs):
        return self.pool(keras.activations.relu(self.norm(self.conv(inputs))))


class Classifier(keras.Model):
    def __init__(self):
        super(Classifier, self).__init__()
        self.block1 = ConvBlock(16)
        self.block2 = ConvBlock(32, kernel=5)
        self.head = keras.Sequential([layers.GlobalMaxPooling2D(), layers.Dense(1, activation="sigmoid")])

    def call(self, inputs):
        return self.head(self.block2(self.block1(inputs)))


train = keras.utils.image_dataset_from_directory("data/train", label_mode="binary", image_size=(40, 40), batch_size=12)
test = keras.utils.image_dataset_from_directory("data/test", label_mode="binary", image_size=(40, 40), batch_size=12)
model = Classifier()
model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=2e-4), loss="binary_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=7, validation_data=test)
