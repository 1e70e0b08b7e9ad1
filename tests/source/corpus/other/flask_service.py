from flask import Flask, jsonify, request
from keras.models import load_model
from PIL import Image
import numpy as np

app = Flask(__name__)
model = load_model("model.keras")


@app.route("/predict", methods=["POST"])
def predict():
    image = Image.open(request.files["image"]).resize((64, 64))
    scores = model.predict(np.array(image)[None] / 255.0)
    return jsonify(scores.tolist())


if __name__ == "__main__":
    app.run()
