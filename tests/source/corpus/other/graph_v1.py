import tensorflow as tf

x = tf.placeholder(tf.float32, [None, 28, 28, 1])
h = tf.layers.conv2d(x, 32, 5, activation=tf.nn.relu)
h = tf.layers.max_pooling2d(h, 2, 2)
logits = tf.layers.dense(tf.layers.flatten(h), 10)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
