import numpy as np
from keras.layers import *
from keras.models import *
from keras.optimizers import *

entry = Input((96, 96, 1))
down1 = Conv2D(16, 3, activation="relu", padding="same")(entry)
down2 = Conv2D(32, 3, activation="relu", padding="same")(MaxPooling2D(2)(down1))
up1 = Conv2D(16, 2, activation="relu", padding="same")(UpSampling2D(size=(2, 2))(down2))
both = concatenate([down1, up1], axis=3)
mask = Conv2D(1, 1, activation="sigmoid")(Conv2D(16, 3, padding="same")(both))
model = Model(input=entry, output=mask)
model.compile(optimizer=Adam(lr=1e-4), loss="binary_crossentropy", metrics=["accuracy"])
model.fit(np.load("cells.npy"), np.load("masks.npy"), batch_size=4, epochs=20)
