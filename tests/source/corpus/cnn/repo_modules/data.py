import tensorflow as tf

from config import BATCH, SIZE


def datasets():
    options = dict(image_size=(SIZE, SIZE), batch_size=BATCH)
    train = tf.keras.utils.image_dataset_from_directory("data/train", **options)
    valid = tf.keras.utils.image_dataset_from_directory("data/valid", **options)
    return train, valid
