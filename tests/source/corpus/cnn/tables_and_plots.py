import numpy as np
import pandas as pd
import seaborn as sns
import matplotlib.pyplot as plt
from sklearn.preprocessing import OneHotEncoder
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers import Conv2D, MaxPool2D, Flatten, Dense

plt.style.use('seaborn-whitegrid')
(X_train, y_train), (X_test, y_test) = mnist.load_data()
table = pd.DataFrame({'label': y_train})
table = table.append({'label': 0}, ignore_index=True)[:-1]
for name, column in table.iteritems():
    print(name, column.as_matrix().shape)
sns.countplot(table['label'])
sns.jointplot(X_train.mean(axis=(1, 2)), X_train.max(axis=(1, 2)))
plt.show()

Y_train = pd.get_dummies(table['label']).values
Y_test = OneHotEncoder(sparse=False).fit_transform(y_test.reshape(-1, 1))
X_train = X_train.reshape(-1, 28, 28, 1) / 255.0
X_test = X_test.reshape(-1, 28, 28, 1) / 255.0

model = Sequential()
model.add(Conv2D(filters=16, kernel_size=(5, 5), padding='Same', activation='relu', input_shape=(28, 28, 1)))
model.add(MaxPool2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(32, activation='relu'))
model.add(Dense(10, activation='softmax'))
model.compile(optimizer='rmsprop', loss='categorical_crossentropy', metrics=['accuracy'])
history = model.fit(X_train, Y_train, batch_size=50, epochs=2, validation_data=(X_test, Y_test))
