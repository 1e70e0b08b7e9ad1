from tensorflow.keras.applications import MobileNetV2
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import GlobalAveragePooling2D, Dense, Dropout
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.preprocessing.image import ImageDataGenerator

base = MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3))
base.trainable = False

model = Sequential()
model.add(base)
model.add(GlobalAveragePooling2D())
model.add(Dense(128, activation='relu'))
model.add(Dropout(0.3))
model.add(Dense(2, activation='softmax'))
model.compile(optimizer=Adam(learning_rate=1e-4), loss='categorical_crossentropy', metrics=['accuracy'])

train = ImageDataGenerator(rescale=1./255, horizontal_flip=True).flow_from_directory('data/train', target_size=(64, 64), batch_size=8)
valid = ImageDataGenerator(rescale=1./255).flow_from_directory('data/validation', target_size=(64, 64), batch_size=8)
model.fit(train, epochs=2, validation_data=valid)
