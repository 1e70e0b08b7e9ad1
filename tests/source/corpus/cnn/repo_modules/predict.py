import sys

from tensorflow.keras.models import load_model
from tensorflow.keras.preprocessing import image
import numpy as np

model = load_model("model.keras")
picture = image.img_to_array(image.load_img(sys.argv[1], target_size=(40, 40)))
print(model.predict(np.expand_dims(picture, 0)))
