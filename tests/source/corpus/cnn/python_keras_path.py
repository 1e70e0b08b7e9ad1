from tensorflow.python.keras.models import Sequential
from tensorflow.python.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, BatchNormalization
from tensorflow.python.keras.preprocessing.image import ImageDataGenerator

model = Sequential([
    Conv2D(16, 3, activation='relu', input_shape=(45, 45, 3)),
    BatchNormalization(),
    MaxPooling2D(),
    Conv2D(32, 3, activation='relu'),
    BatchNormalization(),
    MaxPooling2D(),
    Flatten(),
    Dense(60, activation='relu'),
    Dense(1, activation='sigmoid')
])
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['acc'])
gen = ImageDataGenerator(rescale=1./255)
model.fit(gen.flow_from_directory('train', target_size=(45, 45), class_mode='binary', batch_size=15),
          epochs=3,
          validation_data=gen.flow_from_directory('test', target_size=(45, 45), class_mode='binary', batch_size=15))
