import keras

from .models import small
from .settings import Settings


def run(epochs, settings=Settings()):
    size = (settings.size, settings.size)
    model = small(settings)
    model.compile(keras.optimizers.Adam(settings.rate), "binary_crossentropy", metrics=["accuracy"])
    train = keras.utils.image_dataset_from_directory("data/train", label_mode="binary", image_size=size, batch_size=settings.batch)
    test = keras.utils.image_dataset_from_directory("data/test", label_mode="binary", image_size=size, batch_size=settings.batch)
    model.fit(train, validation_data=test, epochs=epochs)
