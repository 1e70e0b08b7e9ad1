"""Entry point."""
import config
from data import datasets
from network import build_network


def main():
    train, valid = datasets()
    model = build_network(config.CLASSES)
    model.fit(train, validation_data=valid, epochs=config.EPOCHS)
    model.save("model.keras")


if __name__ == "__main__":
    main()
