import tensorflow as tf
from tensorflow import keras

EPOCHS = 2
(x, y), _ = keras.datasets.mnist.load_data()
data = tf.data.Dataset.from_tensor_slices((x[..., None] / 255.0, y)).shuffle(1000).batch(50)

model = keras.Sequential(
    [
        keras.layers.InputLayer((28, 28, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
)
optimizer = keras.optimizers.Adam(learning_rate=0.01)
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def step(images, labels):
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(images, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for epoch in range(EPOCHS):
    for images, labels in data:
        loss = step(images, labels)
    print("epoch", epoch, "loss", float(loss))
