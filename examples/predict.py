# Classifies images with onnxruntime, numpy and Pillow alone: python predict.py MODEL.onnx IMAGE...
import json, sys
import numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
for file in sys.argv[2:]:
    image = numpy.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
    probabilities, classes = session.run(["probabilities", "classes"], {"image": image[None]})
    best = probabilities[0].argmax()
    print(json.dumps({"file": file, "label": str(classes[best]), "probability": float(probabilities[0, best])}))
