"""Writes the files in parquet/ and what is in them, parquet.json: python make-parquet.py (datasets 5.2, pyarrow 26, Pillow 13)."""

import hashlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value
from PIL import Image as Pillow

HERE = Path(__file__).parent / "parquet"
recorded = {}


def picture(seed, form="PNG"):
    """8 x 8 pixels that differ with the seed."""
    values = bytes((37 * seed + 5 * x * y + 11 * c * (x + seed)) % 256 for y in range(8) for x in range(8) for c in range(3))
    out = io.BytesIO()
    Pillow.frombytes("RGB", (8, 8), values).save(out, form)
    return out.getvalue()


def record(name, images, labels, **more):
    sums = [None if data is None else hashlib.sha256(data).hexdigest() for data in images]
    recorded[name] = {"images": sums, "labels": labels, **more}


def hugging_face(name, rows, names=("cat", "dog"), feature=None):
    """rows: (image or None, label)"""
    features = Features({"image": Image(), "label": feature or ClassLabel(names=list(names))})
    images = [None if data is None else {"bytes": data, "path": f"{i}.png"} for i, (data, _) in enumerate(rows)]
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict({"image": images, "label": [label for _, label in rows]}, features=features).to_parquet(path, batch_size=2)
    record(name, [data for data, _ in rows], [label for _, label in rows])


hugging_face("hf/data/train-00000-of-00002.parquet", [(picture(0), 0), (picture(1, "JPEG"), 1), (picture(2), None)])
hugging_face("hf/data/train-00001-of-00002.parquet", [(picture(3), 1), (None, 0), (b"no image", 1), (b"", 1), (picture(4), -1)])
hugging_face("hf/data/validation-00000-of-00001.parquet", [(picture(5), 0), (picture(6), -1)])
hugging_face("several-labels.parquet", [(picture(7), [0, 1])], feature=Sequence(ClassLabel(names=["cat", "dog"])))
hugging_face("text-labels.parquet", [(picture(8), "hot dog"), (picture(9), "bun"), (picture(10), None)], feature=Value("string"))

# Not by the library: bytes without a struct, a column of splits, one of groups, a page a row, compressed otherwise.
images = [picture(20 + i) for i in range(6)]
labels = ["a", "b", "a", "b", "", None]
splits = ["train", "train", "val", "test", "", "unlabeled"]
patients = ["p1", "p2", "p1", "p3", None, "p2"]
table = pa.table({"image": pa.array(images, pa.binary()), "label": labels, "split": splits, "patient": patients})
for codec in ("gzip", "brotli", "none"):
    pq.write_table(table, HERE / f"plain-{codec}.parquet", compression=codec, data_page_size=1, write_batch_size=1, row_group_size=4)
    record(f"plain-{codec}.parquet", images, labels, splits=splits, patients=patients)
pq.write_table(table, HERE / "plain-v2.parquet", data_page_version="2.0", use_dictionary=False)
pq.write_table(table, HERE / "zstd.parquet", compression="zstd")
record("plain-v2.parquet", images, labels, splits=splits, patients=patients)

# All rows in one group, each with a page of its own: 48 MB that compress to nothing.
large = [bytes([i]) * 2**20 for i in range(48)]
pq.write_table(
    pa.table({"image": pa.array(large, pa.binary()), "label": ["a", "b"] * 24}),
    HERE / "one-group.parquet",
    compression="brotli",
    use_dictionary=False,
    write_batch_size=1,
    write_statistics=False,
)
record("one-group.parquet", large, ["a", "b"] * 24)
# One value of 600 MB, after one of 3 bytes in a page of its own.
pq.write_table(
    pa.table({"image": pa.array([b"abc", bytes(600 * 2**20)], pa.binary()), "label": ["a", "b"]}),
    HERE / "large-page.parquet",
    compression="brotli",
    use_dictionary=False,
    write_batch_size=1,
    data_page_size=1,
    write_statistics=False,
)
(Path(__file__).parent / "parquet.json").write_text(json.dumps(recorded, indent=1) + "\n")
