import tensorflow as tf

AUTOTUNE = tf.data.AUTOTUNE
HEIGHT, WIDTH = 40, 60
BATCH = 14
NAMES = ["cats", "dogs"]


def parse(path):
    label = tf.strings.split(path, "/")[-2] == NAMES[1]
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, [HEIGHT, WIDTH])
    return image / 255.0, tf.cast(label, tf.int32)


def pipeline(pattern, training):
    files = tf.data.Dataset.list_files(pattern, shuffle=training, seed=1)
    data = files.map(parse, num_parallel_calls=AUTOTUNE)
    return data.batch(BATCH).prefetch(AUTOTUNE)


train = pipeline("data/train/*/*.jpg", True)
valid = pipeline("data/valid/*/*.jpg", False)

model = tf.keras.Sequential([
    tf.keras.layers.Conv2D(18, (3, 3), activation="relu", input_shape=(HEIGHT, WIDTH, 3)),
    tf.keras.layers.MaxPooling2D(2, 2),
    tf.keras.layers.Conv2D(36, (3, 3), activation="relu"),
    tf.keras.layers.MaxPooling2D(2, 2),
    tf.keras.layers.Flatten(),
    tf.keras.layers.Dense(54, activation="relu"),
    tf.keras.layers.Dense(1, activation="sigmoid"),
])
model.compile(loss="binary_crossentropy", optimizer=tf.keras.optimizers.RMSprop(), metrics=["accuracy"])
model.fit(train, epochs=3, validation_data=valid)
