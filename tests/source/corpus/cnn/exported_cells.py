#!/usr/bin/env python
# coding: utf-8

# In[1]:


get_ipython().run_line_magic('matplotlib', 'inline')
from keras.datasets import mnist
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential


# In[2]:


get_ipython().run_cell_magic('bash', '', 'ls -l\ndf -h')


# In[3]:


(pictures, digits), (later_pictures, later_digits) = mnist.load_data()
pictures = pictures.reshape(-1, 28, 28, 1) / 255


# In[4]:


get_ipython().run_cell_magic('capture', '', '# build the network\nnet = Sequential()\nnet.add(Conv2D(20, (5, 5), activation=\'relu\', input_shape=(28, 28, 1)))\nnet.add(MaxPooling2D((2, 2)))\nnet.add(Flatten())\nnet.add(Dense(40, activation="relu"))\nnet.add(Dense(10, activation=\'softmax\'))\nnet.compile(loss=\'sparse_categorical_crossentropy\', optimizer=\'rmsprop\',\n            metrics=[\'accuracy\'])\n')


# In[5]:


get_ipython().run_cell_magic('time', '', '# this takes a while\nrounds = 2\nhistory = net.fit(pictures, digits,\n                  epochs=rounds,\n                  batch_size=50,\n                  verbose=2)')


# In[6]:


get_ipython().run_line_magic('time', "scores = net.evaluate(later_pictures.reshape(-1, 28, 28, 1) / 255, later_digits)")
print(scores[1])
