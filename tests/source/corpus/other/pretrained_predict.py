import numpy as np
from tensorflow.keras.applications.resnet50 import ResNet50, decode_predictions, preprocess_input
from tensorflow.keras.preprocessing import image

model = ResNet50(weights="imagenet")
picture = image.img_to_array(image.load_img("elephant.jpg", target_size=(224, 224)))
print(decode_predictions(model.predict(preprocess_input(picture[None])), top=3))
