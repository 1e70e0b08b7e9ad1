import keras
from keras.layers import Input, SeparableConv2D, Conv2D, BatchNormalization, ReLU, MaxPooling2D, GlobalAveragePooling2D, Dense

train = keras.utils.image_dataset_from_directory(directory="leaves/train", image_size=(44, 44), batch_size=11, color_mode="grayscale")
test = keras.utils.image_dataset_from_directory(directory="leaves/test", image_size=(44, 44), batch_size=11, color_mode="grayscale")

i = Input((44, 44, 1))
x = Conv2D(12, 3, use_bias=False)(i)
x = BatchNormalization()(x)
x = ReLU()(x)
x = MaxPooling2D()(x)
x = SeparableConv2D(24, 3, use_bias=False)(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = MaxPooling2D()(x)
x = GlobalAveragePooling2D()(x)
o = Dense(2, activation="softmax")(x)

model = keras.Model(i, o)
model.compile(optimizer=keras.optimizers.AdamW(learning_rate=0.003, weight_decay=0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=4, validation_data=test)
