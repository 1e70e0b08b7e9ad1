import keras
from keras import layers as L


def residual(x, filters):
    shortcut = x
    x = L.Conv2D(filters, 3, padding="same")(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU()(x)
    x = L.Conv2D(filters, 3, padding="same")(x)
    x = L.BatchNormalization()(x)
    x = L.Add()([x, shortcut])
    return L.ReLU()(x)


def build(classes):
    inputs = L.Input((32, 32, 3))
    x = L.Rescaling(1 / 255)(inputs)
    x = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = residual(x, 16)
    x = L.MaxPooling2D()(x)
    x = residual(x, 16)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(classes, activation="softmax")(x))


train = keras.utils.image_dataset_from_directory("images/train", image_size=(32, 32), batch_size=8, label_mode="categorical")
val = keras.utils.image_dataset_from_directory("images/val", image_size=(32, 32), batch_size=8, label_mode="categorical")
model = build(2)
model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=val, epochs=6)
