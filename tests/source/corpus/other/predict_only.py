import sys
import numpy as np
from tensorflow.keras.models import load_model
from tensorflow.keras.preprocessing import image

model = load_model("cats_dogs.h5")
picture = image.img_to_array(image.load_img(sys.argv[1], target_size=(64, 64))) / 255
print("dog" if model.predict(np.expand_dims(picture, 0))[0][0] > 0.5 else "cat")
