import keras
import pandas as pd

table = pd.read_csv("churn.csv")
i = keras.Input((12,))
h = keras.layers.Dense(32, activation="relu")(i)
h = keras.layers.BatchNormalization()(h)
o = keras.layers.Dense(1, activation="sigmoid")(h)
model = keras.Model(i, o)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(table.iloc[:, :12], table.iloc[:, 12], epochs=10, batch_size=16)
