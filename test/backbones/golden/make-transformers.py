"""Small networks of the shape that CLIP's image side and DINOv2 have in ONNX, exported from Hugging Face's transformers as
Optimum does (every axis open), with PyTorch's answers. Writes beside itself: clip/, dinov2/, transformers.json.
pip install torch transformers onnx; python test/backbones/golden/make-transformers.py
"""

import json
import pathlib

import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

HERE = pathlib.Path(__file__).parent
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "attn_implementation": "eager"}
OPEN = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
PROCESSOR = {
    "do_resize": True,
    "do_center_crop": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "resample": 3,
}


class Output(torch.nn.Module):
    """One output of a model of transformers, which has many."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, pixel_values):
        return getattr(self.model(pixel_values=pixel_values), self.name)


def write(folder, model, name, file, traced_on, asked_on, processor):
    place = HERE / folder / "onnx"
    place.mkdir(parents=True, exist_ok=True)
    network = Output(model.eval(), name)
    torch.onnx.export(
        network,
        (image(traced_on),),
        place / file,
        input_names=["pixel_values"],
        output_names=[name],
        dynamic_axes={"pixel_values": OPEN, name: {0: "batch_size"}},
        opset_version=14,
        dynamo=False,
    )
    (HERE / folder / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, **processor}, indent=2) + "\n")
    with torch.no_grad():
        return network(image(asked_on))


def image(side):
    """[2, 3, side, side]: the sine of each number's place."""
    return torch.sin(torch.arange(2 * 3 * side * side, dtype=torch.float64)).float().reshape(2, 3, side, side)


torch.manual_seed(0)
clip = CLIPVisionModelWithProjection(
    CLIPVisionConfig(**SMALL, intermediate_size=32, image_size=32, patch_size=8, projection_dim=12)
)
dinov2 = Dinov2Model(Dinov2Config(**SMALL, mlp_ratio=2, image_size=70, patch_size=14))
for parameter in [*clip.parameters(), *dinov2.parameters()]:
    torch.nn.init.normal_(parameter, std=0.2)
embeds = write(
    "clip", clip, "image_embeds", "vision_model.onnx", 32, 32,
    {
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
    },
)  # fmt: skip
# Another side than it was made for: positions are interpolated inside the graph.
tokens = write(
    "dinov2", dinov2, "last_hidden_state", "model.onnx", 70, 56,
    {
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "size": {"shortest_edge": 64},
        "crop_size": {"height": 56, "width": 56},
    },
)  # fmt: skip
(HERE / "transformers.json").write_text(
    json.dumps({"image_embeds": embeds.tolist(), "class_token": tokens[:, 0].tolist()}) + "\n"
)
