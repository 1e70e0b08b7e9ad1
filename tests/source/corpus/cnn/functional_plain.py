from tensorflow.keras.layers import Input, Conv2D, MaxPooling2D, Flatten, Dense, Dropout
from tensorflow.keras.models import Model
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.preprocessing.image import ImageDataGenerator

inputs = Input(shape=(48, 48, 3))
x = Conv2D(24, (5, 5), activation='relu')(inputs)
x = MaxPooling2D((2, 2))(x)
x = Conv2D(48, (3, 3), activation='relu')(x)
x = MaxPooling2D((2, 2))(x)
x = Flatten()(x)
x = Dense(96, activation='relu')(x)
x = Dropout(0.4)(x)
outputs = Dense(1, activation='sigmoid')(x)
model = Model(inputs, outputs)

model.compile(optimizer=Adam(learning_rate=0.0005), loss='binary_crossentropy', metrics=['accuracy'])

data = ImageDataGenerator(rescale=1/255., validation_split=0.25)
train = data.flow_from_directory('data/train', target_size=(48, 48), batch_size=20, class_mode='binary', subset='training')
valid = data.flow_from_directory('data/train', target_size=(48, 48), batch_size=20, class_mode='binary', subset='validation')

model.fit(train, epochs=12, validation_data=valid)
