import numpy as np
from keras.models import Sequential
from keras.layers import Conv2D, Conv2DTranspose, Dense, Dropout, Flatten, LeakyReLU, Reshape
from keras.optimizers import Adam

critic = Sequential([Conv2D(32, 3, strides=2, input_shape=(28, 28, 1)), LeakyReLU(0.2), Dropout(0.4), Flatten(), Dense(1, activation="sigmoid")])
critic.compile(loss="binary_crossentropy", optimizer=Adam(0.0002), metrics=["accuracy"])
maker = Sequential([Dense(7 * 7 * 32, input_dim=50), Reshape((7, 7, 32)), Conv2DTranspose(16, 4, strides=2, padding="same"),
                    Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid")])
critic.trainable = False
both = Sequential([maker, critic])
both.compile(loss="binary_crossentropy", optimizer=Adam(0.0002))
for epoch in range(10):
    noise = np.random.randn(32, 50)
    critic.train_on_batch(maker.predict(noise), np.zeros((32, 1)))
    both.train_on_batch(noise, np.ones((32, 1)))
