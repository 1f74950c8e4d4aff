"""The sub-policies of torchvision's AutoAugment, as JSON. Needs torchvision 0.29."""

import json
from pathlib import Path

from torchvision.transforms.autoaugment import AutoAugment, AutoAugmentPolicy

policies = {
    policy.name.lower(): AutoAugment()._get_policies(policy) for policy in AutoAugmentPolicy
}
Path(__file__).with_suffix(".json").write_text(json.dumps(policies))
