import numpy as np
import keras
from keras import layers

series = np.loadtxt("temperature.csv")
windows = np.stack([series[i:i + 24] for i in range(len(series) - 25)])[..., None]
inputs = keras.Input((24, 1))
x = layers.Bidirectional(layers.GRU(16))(inputs)
model = keras.Model(inputs, layers.Dense(1)(x))
model.compile("rmsprop", "mse", metrics=["mae"])
model.fit(windows, series[24:-1], epochs=5)
