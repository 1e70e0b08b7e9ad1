import tensorflow as tf
from tensorflow.keras import layers

vectorize = layers.TextVectorization(max_tokens=2000, output_sequence_length=50)
raw = tf.keras.utils.text_dataset_from_directory("aclImdb/train", batch_size=32)
model = tf.keras.Sequential([layers.Embedding(2000, 16), layers.GlobalAveragePooling1D(), layers.Dense(1)])
model.compile(loss=tf.keras.losses.BinaryCrossentropy(from_logits=True), optimizer="adam", metrics=["accuracy"])
model.fit(raw.map(lambda text, label: (vectorize(text), label)), epochs=3)
