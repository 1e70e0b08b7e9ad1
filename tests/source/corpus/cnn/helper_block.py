import tensorflow as tf
from tensorflow.keras import layers, models, optimizers

SIZE = (64, 64)


def conv_block(x, filters, kernel_size=3):
    """Convolution, activation, pooling."""
    x = layers.Conv2D(filters, kernel_size, padding='same')(x)
    x = layers.Activation('relu')(x)
    x = layers.MaxPooling2D(2)(x)
    return x


def build_model(input_shape):
    inputs = layers.Input(shape=input_shape)
    x = layers.Rescaling(1. / 255)(inputs)
    x = conv_block(x, 16)
    x = conv_block(x, 32)
    x = conv_block(x, 64)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation='relu')(x)
    outputs = layers.Dense(2, activation='softmax')(x)
    return models.Model(inputs, outputs)


def main():
    train = tf.keras.utils.image_dataset_from_directory('data/train', image_size=SIZE, batch_size=10)
    valid = tf.keras.utils.image_dataset_from_directory('data/validation', image_size=SIZE, batch_size=10)
    model = build_model(SIZE + (3,))
    model.compile(optimizers.Adam(1e-4), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
    model.fit(train, validation_data=valid, epochs=9)


if __name__ == '__main__':
    main()
