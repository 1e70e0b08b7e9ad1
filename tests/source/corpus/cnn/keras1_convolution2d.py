from keras.models import Sequential
from keras.layers import Convolution2D, MaxPooling2D, Flatten, Dense
from keras.preprocessing.image import ImageDataGenerator

classifier = Sequential()
classifier.add(Convolution2D(32, 3, 3, input_shape=(64, 64, 3), activation='relu'))
classifier.add(MaxPooling2D(pool_size=(2, 2)))
classifier.add(Convolution2D(32, 3, 3, activation='relu'))
classifier.add(MaxPooling2D(pool_size=(2, 2)))
classifier.add(Flatten())
classifier.add(Dense(output_dim=128, activation='relu'))
classifier.add(Dense(output_dim=1, activation='sigmoid'))
classifier.compile(optimizer='rmsprop', loss='binary_crossentropy', metrics=['accuracy'])

train_images = ImageDataGenerator(rescale=1. / 255, horizontal_flip=True)
test_images = ImageDataGenerator(rescale=1. / 255)
train = train_images.flow_from_directory(
    'dataset/training_set', target_size=(64, 64), batch_size=16, class_mode='binary')
test = test_images.flow_from_directory(
    'dataset/test_set', target_size=(64, 64), batch_size=16, class_mode='binary')

classifier.fit_generator(train, samples_per_epoch=64, nb_epoch=5,
                         validation_data=test, nb_val_samples=32)
