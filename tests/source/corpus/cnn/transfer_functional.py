import keras
from keras import layers
from keras.applications.vgg16 import VGG16

conv_base = VGG16(weights=None, include_top=False, input_shape=(48, 48, 3))
for layer in conv_base.layers:
    layer.trainable = False

x = layers.Flatten()(conv_base.output)
x = layers.Dense(96, activation="relu")(x)
predictions = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs=conv_base.input, outputs=predictions)
model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.RMSprop(learning_rate=2e-5), metrics=["accuracy"])

train = keras.utils.image_dataset_from_directory("data/train", label_mode="binary", image_size=(48, 48), batch_size=6)
valid = keras.utils.image_dataset_from_directory("data/validation", label_mode="binary", image_size=(48, 48), batch_size=6)
model.fit(train, epochs=2, validation_data=valid)
