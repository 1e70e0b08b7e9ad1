#!/usr/bin/env python
"""Train an image classifier from the command line."""
import argparse
from pathlib import Path

from tensorflow import keras


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--epochs", "-e", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--no-dropout", action="store_true")
    return parser.parse_args()


def main():
    args = parse_args()
    train = keras.utils.image_dataset_from_directory(args.data / "train", image_size=(50, 50), batch_size=args.batch_size)
    test = keras.utils.image_dataset_from_directory(args.data / "test", image_size=(50, 50), batch_size=args.batch_size)

    model = keras.models.Sequential()
    model.add(keras.Input((50, 50, 3)))
    model.add(keras.layers.Conv2D(args.filters, 3, activation="relu"))
    model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Conv2D(2 * args.filters, 3, activation="relu"))
    model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(64, activation="relu"))
    if not args.no_dropout:
        model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Dense(2, activation="softmax"))

    model.compile(keras.optimizers.Adam(learning_rate=args.lr), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(train, epochs=args.epochs, validation_data=test)


if __name__ == "__main__":
    main()
