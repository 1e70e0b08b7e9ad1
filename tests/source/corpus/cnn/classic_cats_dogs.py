# Image classification: is it a cat or a dog?
from keras.models import Sequential
from keras.layers import Conv2D
from keras.layers import MaxPooling2D
from keras.layers import Flatten
from keras.layers import Dense
from keras.preprocessing.image import ImageDataGenerator

# Step 1: the network
net = Sequential()

net.add(Conv2D(32, (3, 3), input_shape = (64, 64, 3), activation = 'relu'))
net.add(MaxPooling2D(pool_size = (2, 2)))

# a second convolution helps
net.add(Conv2D(32, (3, 3), activation = 'relu'))
net.add(MaxPooling2D(pool_size = (2, 2)))

net.add(Flatten())
net.add(Dense(units = 128, activation = 'relu'))
net.add(Dense(units = 1, activation = 'sigmoid'))

net.compile(optimizer = 'adam', loss = 'binary_crossentropy', metrics = ['accuracy'])

# Step 2: the pictures
train_gen = ImageDataGenerator(rescale = 1./255,
                               shear_range = 0.2,
                               zoom_range = 0.2,
                               horizontal_flip = True)
test_gen = ImageDataGenerator(rescale = 1./255)

training_set = train_gen.flow_from_directory('dataset/training_set',
                                             target_size = (64, 64),
                                             batch_size = 32,
                                             class_mode = 'binary')
test_set = test_gen.flow_from_directory('dataset/test_set',
                                        target_size = (64, 64),
                                        batch_size = 32,
                                        class_mode = 'binary')

# Step 3: train
net.fit_generator(training_set,
                  steps_per_epoch = 4,
                  epochs = 10,
                  validation_data = test_set,
                  validation_steps = 2)
