import keras.layers as L
import keras.models as M
from keras.layers import Conv2D as C, MaxPooling2D as P
from keras.optimizers import SGD as Optimizer
from keras.utils import image_dataset_from_directory as read

train, test = read("data/train", image_size=(36, 36), batch_size=9), read("data/test", image_size=(36, 36), batch_size=9)

m = M.Sequential()
m.add(L.Input((36, 36, 3)))
m.add(C(10, 3, activation="elu"))
m.add(P(2))
m.add(C(20, 3, activation="elu"))
m.add(P(2))
m.add(L.Flatten())
m.add(L.Dense(30, activation="elu"))
m.add(L.Dense(2, activation="softmax"))
m.compile(optimizer=Optimizer(learning_rate=0.03), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
m.fit(train, epochs=2, validation_data=test)
