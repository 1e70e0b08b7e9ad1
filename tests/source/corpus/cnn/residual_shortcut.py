import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.layers import (
    Activation, Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Input,
)

(x_train, y_train), (x_test, y_test) = tf.keras.datasets.cifar10.load_data()


def shortcut(before, after):
    stride = K.int_shape(before)[1] // K.int_shape(after)[1]
    if stride > 1 or K.int_shape(before)[-1] != K.int_shape(after)[-1]:
        before = Conv2D(K.int_shape(after)[-1], 1, strides=stride)(before)
    return Add()([before, after])


def residual(x, filters, strides=(1, 1)):
    if strides != (1, 1):
        y = Conv2D(filters, 3, strides=strides, padding="same")(x)
    else:
        y = Conv2D(filters, 3, padding="same")(x)
    y = BatchNormalization()(y)
    y = Activation("relu")(y)
    return shortcut(x, y)


inputs = Input((32, 32, 3))
x = Conv2D(16, 3, padding="same", activation="relu")(inputs)
x = residual(x, 16)
x = residual(x, 32, (2, 2))
x = GlobalAveragePooling2D()(x)
outputs = Dense(10, activation="softmax")(x)

model = tf.keras.Model(inputs, outputs)
model.compile(tf.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train / 255.0, y_train, batch_size=64, epochs=4, validation_data=(x_test / 255.0, y_test))
