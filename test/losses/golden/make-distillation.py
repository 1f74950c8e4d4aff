"""Writes distillation.json: losses of distillation from their papers' formulas, and their gradients.

python make-distillation.py (needs torch; made with PyTorch 2.15). In float64, of inputs that are multiples of 1/64, which
float32 holds exactly. `value` is each sample's loss, `gradients` those of their sum. `kink`: not differentiable there.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(21)
N, K = 5, 4
cases = []


def draw(*shape, scale=1.5):
    return torch.round(torch.randn(*shape) * scale * 64).double() / 64


def record(loss, name, inputs, options, compute, kink=False):
    """Of inputs, floating ones but the teacher's are differentiated by."""
    values = {k: v.clone().requires_grad_() if v.is_floating_point() and k != "teacher" else v for k, v in inputs.items()}
    value = compute(**values)
    value.sum().backward()
    short = lambda x: [float(f"{v:.12g}") for v in x.flatten().tolist()]
    cases.append(
        {
            "loss": loss,
            "name": name,
            "kink": kink,
            "inputs": {k: {"shape": list(v.shape), "values": v.flatten().tolist()} for k, v in inputs.items()},
            "options": options,
            "value": short(value),
            "gradients": {k: short(v.grad) for k, v in values.items() if v.requires_grad},
        }
    )


def softened(teacher, form, T):
    if form == "logits":
        return F.softmax(teacher / T, 1)
    powers = teacher ** (1 / T)
    return powers / powers.sum(1, keepdim=True)


STUDENT, TEACHER = draw(N, K), draw(N, K, scale=3)
# With zeros, one of them of a class that is sure; rows sum to 1.
PROBABILITIES = torch.tensor(
    [[0.5, 0.25, 0.25, 0], [0, 1, 0, 0], [0.125, 0.125, 0.25, 0.5], [0.75, 0, 0, 0.25], [0.0625, 0.4375, 0.25, 0.25]]
).double()
EXTREME = torch.tensor([[40.0, -60, 0, 5], [-90, 90, 0, 0], [0, 0, 0, 0], [200, 199, 198, 0], [-100] * 4]).double()
LABELS = torch.tensor([0, 3, 1, 2, 3])

# Hinton et al. 2015
def kd(student, teacher, form, T):
    p = softened(teacher, form, T)
    return T**2 * F.kl_div(F.log_softmax(student / T, 1), p, reduction="none").sum(1)


for T in (1, 4, 20):
    for form, teacher in (("logits", TEACHER), ("probabilities", PROBABILITIES)):
        record("distillation", f"T {T}, {form}", {"student": STUDENT, "teacher": teacher}, {"form": form, "temperature": T},
               lambda student, teacher: kd(student, teacher, form, T))  # fmt: skip
record("distillation", "extreme logits", {"student": EXTREME, "teacher": TEACHER}, {"form": "logits", "temperature": 2},
       lambda student, teacher: kd(student, teacher, "logits", 2))  # fmt: skip
record("distillation", "extreme teacher", {"student": STUDENT, "teacher": EXTREME * 2}, {"form": "logits", "temperature": 2},
       lambda student, teacher: kd(student, teacher, "logits", 2))  # fmt: skip
for form, teacher in (("logits", TEACHER), ("probabilities", PROBABILITIES)):
    record("distillation", f"hard, {form}", {"student": STUDENT, "teacher": teacher}, {"form": form, "targets": "hard"},
           lambda student, teacher: F.cross_entropy(student, teacher.argmax(1), reduction="none"))  # fmt: skip


# Zhao et al. 2022: probabilities of the target against the others, and among the others
def dkd(student, teacher, form, labels, alpha, beta, T):
    target = F.one_hot(labels, K).bool()
    p_student, p_teacher = F.softmax(student / T, 1), softened(teacher, form, T)

    def pair(p):
        return torch.stack([p[target], (p * ~target).sum(1)], 1)

    def among_others(p):
        others = p[~target].reshape(N, K - 1)
        return others / others.sum(1, keepdim=True)

    kl = lambda p, q: (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(1)
    return T**2 * (
        alpha * kl(pair(p_teacher), pair(p_student)) + beta * kl(among_others(p_teacher), among_others(p_student))
    )


# Without the row of a teacher that is sure of its class.
SOME = torch.cat([PROBABILITIES[:1], PROBABILITIES[2:], PROBABILITIES[2:3]])
for name, student, teacher, form, labels, options in (
    ("T 4, labels", STUDENT, TEACHER, "logits", LABELS, {"alpha": 1, "beta": 8, "temperature": 4}),
    ("T 1, labels", STUDENT, TEACHER, "logits", LABELS, {"alpha": 0.5, "beta": 2, "temperature": 1}),
    ("the teacher's class", STUDENT, TEACHER, "logits", None, {"alpha": 1, "beta": 8, "temperature": 4}),
    ("probabilities", STUDENT, SOME, "probabilities", None, {"alpha": 1, "beta": 2, "temperature": 3}),
    ("the target alone", STUDENT, TEACHER, "logits", LABELS, {"alpha": 2, "beta": 0, "temperature": 2}),
    ("the others alone", STUDENT, TEACHER, "logits", LABELS, {"alpha": 0, "beta": 2, "temperature": 2}),
    ("extreme logits", EXTREME, TEACHER, "logits", LABELS, {"alpha": 1, "beta": 2, "temperature": 2}),
):
    target = teacher.argmax(1) if labels is None else labels
    record("decoupledDistillation", name,
           {"student": student, "teacher": teacher} | ({} if labels is None else {"labels": labels}),
           {"form": form, **options},
           lambda student, teacher, labels=None: dkd(student, teacher, form, target, options["alpha"], options["beta"],
                                                     options["temperature"]))  # fmt: skip


# Huang et al. 2022, and 1e-8 in the divisor as in the authors' code
def unlikeness(x, y):
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    return 1 - (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1) + 1e-8)


def dist(student, teacher, form, beta, gamma, T):
    s, t = F.softmax(student / T, 1), softened(teacher, form, T)
    return T**2 * (beta * unlikeness(s, t) + gamma * unlikeness(s.T, t.T).mean())


CONSTANT = STUDENT.clone()
CONSTANT[1] = 0.5
for name, student, teacher, form, options, kink in (
    ("T 1", STUDENT, TEACHER, "logits", {"beta": 1, "gamma": 1, "temperature": 1}, False),
    ("T 4", STUDENT, TEACHER, "logits", {"beta": 2, "gamma": 0.5, "temperature": 4}, False),
    ("probabilities", STUDENT, PROBABILITIES, "probabilities", {"beta": 1, "gamma": 1, "temperature": 2}, False),
    ("between classes alone", STUDENT, TEACHER, "logits", {"beta": 2, "gamma": 0, "temperature": 2}, False),
    ("between samples alone", STUDENT, TEACHER, "logits", {"beta": 0, "gamma": 2, "temperature": 2}, False),
    ("a constant row", CONSTANT, TEACHER, "logits", {"beta": 1, "gamma": 1, "temperature": 1}, True),
):
    record("dist", name, {"student": student, "teacher": teacher}, {"form": form, **options},
           lambda student, teacher: dist(student, teacher, form, options["beta"], options["gamma"],
                                         options["temperature"]), kink)  # fmt: skip


# Zagoruyko and Komodakis 2017
def attention_transfer(student, teacher):
    size = [min(a, b) for a, b in zip(student.shape[2:], teacher.shape[2:])]
    s, t = (F.normalize(F.adaptive_avg_pool2d(x, size).pow(2).mean(1).flatten(1)) for x in (student, teacher))
    return (s - t).pow(2).mean(1)


for name, s, t in (("of one size", (3, 2, 3, 4), (3, 4, 3, 4)), ("a larger student", (3, 2, 6, 6), (3, 3, 3, 2)),
                   ("uneven windows", (2, 2, 7, 3), (2, 3, 3, 5))):  # fmt: skip
    record("attentionTransfer", name, {"student": draw(*s), "teacher": draw(*t)}, {}, attention_transfer)


# Romero et al. 2015, as a mean
def feature_distance(student, teacher, distance, projection=None):
    if student.dim() == 4:
        size = [min(a, b) for a, b in zip(student.shape[2:], teacher.shape[2:])]
        student, teacher = (F.adaptive_avg_pool2d(x, size) for x in (student, teacher))
    if projection is not None:
        student = F.conv2d(student, projection) if student.dim() == 4 else student @ projection
    if distance == "squared":
        return (student - teacher).pow(2).flatten(1).mean(1)
    return (1 - F.cosine_similarity(student, teacher, dim=1)).reshape(len(student), -1).mean(1)


for distance in ("squared", "cosine"):
    for name, s, t, projection in (
        ("embeddings", (4, 3), (4, 3), None),
        ("embeddings, projected", (4, 3), (4, 5), (3, 5)),
        ("maps", (2, 3, 2, 3), (2, 3, 2, 3), None),
        ("maps of two sizes, projected", (2, 3, 5, 4), (2, 4, 2, 2), (4, 3, 1, 1)),
    ):
        inputs = {"student": draw(*s), "teacher": draw(*t)} | ({} if projection is None else {"projection": draw(*projection)})
        record("featureDistance", f"{distance}, {name}", inputs, {"distance": distance},
               lambda student, teacher, projection=None: feature_distance(student, teacher, distance, projection))  # fmt: skip


# Park et al. 2019, with the authors' means over all N² and N³
def rkd(student, teacher, distance, angle):
    def relations(e):
        n = len(e)
        difference = e[None] - e[:, None]
        d = difference.norm(dim=2)
        unit = F.normalize(difference, dim=2)
        return d / (d.sum() / (n * (n - 1))), unit @ unit.transpose(1, 2)

    (d_s, a_s), (d_t, a_t) = relations(student), relations(teacher)
    h = lambda x, y: F.smooth_l1_loss(x, y, reduction="none")
    return distance * h(d_s, d_t).mean(1) + angle * h(a_s, a_t).mean((1, 2))


# One far from the others: differences beyond 1, where Huber's loss is linear.
FAR = draw(N, 6)
FAR[2] += 8
for name, teacher, options in (("both", draw(N, 6), {"distance": 25, "angle": 50}), ("distances", FAR, {"distance": 2, "angle": 0}),
                               ("angles", FAR, {"distance": 0, "angle": 3})):  # fmt: skip
    record("relationalDistillation", name, {"student": draw(N, 3), "teacher": teacher}, options,
           lambda student, teacher: rkd(student, teacher, **options))  # fmt: skip


# Tian et al. 2020 with InfoNCE over the batch
def crd(student, teacher, temperature):
    cosines = F.normalize(student) @ F.normalize(teacher).T / temperature
    same = torch.arange(len(student))
    return F.cross_entropy(cosines, same, reduction="none") + F.cross_entropy(cosines.T, same, reduction="none")


for temperature in (0.07, 1):
    record("contrastiveDistillation", f"temperature {temperature}", {"student": draw(N, 3), "teacher": draw(N, 3)},
           {"temperature": temperature}, lambda student, teacher: crd(student, teacher, temperature))  # fmt: skip

Path(__file__).with_name("distillation.json").write_text(json.dumps(cases) + "\n")
