from keras.layers import Dense
from keras.models import Model, load_model
from keras.preprocessing.image import ImageDataGenerator

old = load_model("last.h5")
for layer in old.layers:
    layer.trainable = False
hidden = Dense(32, activation="relu")(old.output)
model = Model(inputs=old.input, outputs=Dense(1, activation="sigmoid")(hidden))
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
pictures = ImageDataGenerator(rescale=1 / 255).flow_from_directory("data/train", class_mode="binary")
model.fit(pictures, epochs=3)
model.save("last.h5")
