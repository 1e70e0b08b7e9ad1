"""Helpers for the trainers."""
import numpy as np
from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img


def generators(folder, size, batch):
    data = ImageDataGenerator(rescale=1 / 255, validation_split=0.2)
    return [data.flow_from_directory(folder, size, batch_size=batch, subset=s) for s in ("training", "validation")]


def load(path, size):
    return np.expand_dims(img_to_array(load_img(path, target_size=size)), 0)
