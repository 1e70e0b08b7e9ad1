from dataclasses import dataclass

import keras
from keras import layers


@dataclass
class Settings:
    image_size: int = 40
    batch_size: int = 20
    epochs: int = 4
    learning_rate: float = 5e-4
    filters: int = 20
    hidden: int = 80
    dropout: float = 0.2


def make_model(settings: Settings) -> keras.Model:
    shape = (settings.image_size, settings.image_size, 3)
    return keras.Sequential(
        [
            layers.Input(shape=shape),
            layers.Rescaling(1 / 255),
            layers.Conv2D(settings.filters, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * settings.filters, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(settings.hidden, activation="relu"),
            layers.Dropout(settings.dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def run(settings: Settings) -> None:
    size = (settings.image_size, settings.image_size)
    train, valid = (
        keras.utils.image_dataset_from_directory(
            f"data/{part}", label_mode="binary", image_size=size, batch_size=settings.batch_size
        )
        for part in ("train", "validation")
    )
    model = make_model(settings)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=settings.learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(train, validation_data=valid, epochs=settings.epochs)


if __name__ == "__main__":
    run(Settings())
