"""Splits a folder of classes into photos as they are taken with care (bright, upright, centred) and a world that is not.

usage: shift.py FOLDER OUT SEED COUNT   (needs pillow)
Writes OUT/data/CLASS/*.jpg, OUT/world/*.jpg and OUT/truth.json, which holds what was done; the audit does not see it.
"""
import json, os, random, sys
from PIL import Image, ImageEnhance

folder, out, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
files = sorted((c, f) for c in os.listdir(folder) for f in os.listdir(os.path.join(folder, c)))
rng.shuffle(files)
dark = rng.uniform(0.35, 0.5)
truth = {"light": [dark, dark + 0.25], "angle": rng.uniform(18, 35), "brighter": [1.1, 1.3]}
for i, (name, file) in enumerate(files[: count + 100]):
    image = Image.open(os.path.join(folder, name, file)).convert("RGB")
    if i < count:
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(*truth["brighter"]))
        place = os.path.join(out, "data", name)
    else:
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(*truth["light"]))
        image = image.rotate(rng.uniform(-truth["angle"], truth["angle"]), Image.BILINEAR)
        place = os.path.join(out, "world")
    os.makedirs(place, exist_ok=True)
    image.save(os.path.join(place, file.rsplit(".", 1)[0] + ".jpg"), quality=92)
json.dump(truth, open(os.path.join(out, "truth.json"), "w"))
