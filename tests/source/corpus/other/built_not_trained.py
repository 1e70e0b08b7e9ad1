import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

model = keras.Sequential([keras.Input((64, 64, 3)), Conv2D(8, 3), MaxPooling2D(), Flatten(), Dense(2)])
model.compile("adam", "categorical_crossentropy")
model.summary()
keras.utils.plot_model(model, "model.png")
