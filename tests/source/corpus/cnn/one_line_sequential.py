import tensorflow as tf
from tensorflow.keras import layers

(x_train, y_train), (x_test, y_test) = tf.keras.datasets.cifar10.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0

net = tf.keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(8, 3, activation='relu'), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation='softmax')])
net.compile('adam', 'sparse_categorical_crossentropy', ['accuracy'])
net.fit(x_train, y_train, 64, 2, validation_data=(x_test, y_test))
