import keras
from keras.layers import Conv2D, Input, MaxPooling2D, UpSampling2D

(x, _), (xt, _) = keras.datasets.mnist.load_data()
x = x[..., None] / 255.0
i = Input((28, 28, 1))
e = MaxPooling2D(2)(Conv2D(16, 3, activation="relu", padding="same")(i))
d = UpSampling2D(2)(Conv2D(16, 3, activation="relu", padding="same")(e))
o = Conv2D(1, 3, activation="sigmoid", padding="same")(d)
model = keras.Model(i, o)
model.compile("adam", "binary_crossentropy")
model.fit(x, x, epochs=3, batch_size=128)
