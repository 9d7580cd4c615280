"""Trains swift-s-x2 and writes the ONNX file.

    python train.py --work /tmp/train --out ../swift-s-x2.onnx

Every layer starts as the identity plus noise and the last one as zero, so that training starts from a
bicubic picture. What is written is an average of the weights over the last steps.
"""
import argparse
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

import graph
import resample
from soap import SOAP

MIDDLE = 2  # hidden 16 → 16 layers
CHANNELS = 16  # one block of ONNX Runtime's AVX-512 kernels
METADATA = {"author": "upscaled", "license": "Apache-2.0", "upscaled.id": "swift-s-x2"}


class Layer(nn.Module):
    """A 3x3 convolution [b,i,h,w] → [b,o,h,w], zero-padded. Starts as noise, plus the identity if i = o."""

    def __init__(self, inputs, outputs, noise):
        super().__init__()
        weight = torch.randn(outputs, inputs, 3, 3) * noise / math.sqrt(9 * inputs)
        if inputs == outputs and noise > 0:
            weight[range(outputs), range(inputs), 1, 1] += 1
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return F.conv2d(x, self.weight.contiguous(memory_format=torch.channels_last), self.bias, padding=1)


class Net(nn.Module):
    """luma [b,1,h,w] → luma_x2 [b,1,2h,2w], both studio luma / 255; h and w even. Starts as bicubic."""

    def __init__(self):
        super().__init__()
        self.head = Layer(4, CHANNELS, noise=1.0)
        self.body = nn.ModuleList(Layer(CHANNELS, CHANNELS, noise=0.5) for _ in range(MIDDLE))
        self.tail = Layer(CHANNELS, 16, noise=0.0)
        self.skip = nn.Parameter(bicubic_weight())

    def forward(self, luma):
        cells = F.pixel_unshuffle(luma, 2).contiguous(memory_format=torch.channels_last)
        x = cells
        for layer in (self.head, *self.body):
            x = F.relu(layer(x))
        base = F.conv2d(cells, self.skip.contiguous(memory_format=torch.channels_last), padding=1)
        return F.pixel_shuffle(self.tail(x) + base, 4)

    @torch.no_grad()
    def export(self):
        """The deployed graph with these weights."""
        layers = [(l.weight.numpy(), l.bias.numpy()) for l in (self.head, *self.body, self.tail)]
        return graph.build(layers, self.skip.numpy(), metadata=METADATA)


def bicubic_weight():
    """Bicubic 2x as a 3x3 convolution [16,4,3,3] from 2x2 cells to 4x4 cells.

    Output row p of a cell lies at low-resolution row (p+0.5)/2-0.5; the three cells hold rows -2..3.
    """
    rows = resample.cubic(np.arange(-2, 4)[None] - ((np.arange(4)[:, None] + 0.5) / 2 - 0.5))
    rows = rows.reshape(4, 3, 2)  # output row, cell, row in cell
    return torch.tensor(np.einsum("pkb,qlc->pqbckl", rows, rows).reshape(16, 4, 3, 3), dtype=torch.float32)


class Patches:
    """The two memory-mapped arrays of data.py; every 64th patch is held out for validation."""

    def __init__(self, work, seed):
        self.hr, self.lr = (np.load(work / f"{n}.npy", mmap_mode="r") for n in ("hr", "lr"))
        everything = np.arange(len(self.hr))
        self.held_out, self.training = everything[::64], everything[everything % 64 != 0]
        self.rng = np.random.default_rng(seed)

    def take(self, picks):
        """(lr [b,1,64,64], hr [b,1,128,128]) as float32 0..1."""
        return tuple(torch.from_numpy(a[picks])[:, None].float() / 255 for a in (self.lr, self.hr))

    def batch(self, size):
        """A random batch under one of the 8 flips and rotations."""
        pair = self.take(np.sort(self.rng.choice(self.training, size)))
        turns, mirror = self.rng.integers(4), self.rng.integers(2)
        turned = (torch.rot90(t, int(turns), (2, 3)) for t in pair)
        return tuple(t.flip(3) if mirror else t for t in turned)


def per_patch_mse(net, lr, hr):
    return (net(lr) - hr).square().mean((1, 2, 3))


def psnr(net, patches):
    """Mean PSNR in dB over the held-out patches, degradations included."""
    with torch.no_grad():
        mse = torch.cat([per_patch_mse(net, *patches.take(p)) for p in np.array_split(patches.held_out, 16)])
    return float(-10 * torch.log10(mse + 1e-6).mean())


def loss_at(progress, out, hr):
    """Charbonnier first, which is robust while far off; then the mean logarithm of each patch's MSE.

    The latter is PSNR itself up to a factor; the floor (60 dB) keeps flat patches from dominating.
    """
    square = (out - hr).square()
    if progress < 0.5:
        return (square + 1e-6).sqrt().mean()
    return (square.mean((1, 2, 3)) + 2e-5).log().mean() * 0.01


def rate_at(progress, peak):
    """Learning rate: 2 % warm-up, then cosine to zero."""
    warm = 0.02
    return peak * (progress / warm if progress < warm else 0.5 + 0.5 * math.cos(math.pi * (progress - warm) / (1 - warm)))


def save(net, path):
    """Writes the ONNX file after proving that ONNX Runtime computes what torch computes."""
    model = net.export()
    probe = torch.from_numpy(np.random.default_rng(0).uniform(16, 235, (1, 1, 90, 122)).astype(np.float32) / 255)
    with torch.no_grad():
        gap = np.abs(graph.session(model).run(None, {"luma": probe.numpy()})[0] - net(probe).numpy()).max()
    if gap >= 1e-5:
        raise SystemExit(f"the graph differs from the network by {gap}")
    partial = path.with_suffix(".partial")
    onnx.save(model, partial)
    partial.replace(path)
    return gap, graph.parameters(model)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("--work", type=Path, required=True, help="folder with data.py's hr.npy and lr.npy")
    args.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    args.add_argument("--steps", type=int, default=60_000)
    args.add_argument("--minutes", type=float, default=math.inf,
                      help="shortens the schedule when the steps would take longer than this")
    args.add_argument("--batch", type=int, default=16, help="patches a step")
    args.add_argument("--rate", type=float, default=5e-3, help="peak learning rate")
    args.add_argument("--every", type=int, default=2500, help="steps between checkpoints")
    args.add_argument("--resume", action="store_true", help="go on from the checkpoint beside --out")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)

    patches = Patches(args.work, args.seed)
    net = Net()
    mean = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999))
    optimizer = SOAP(net.parameters(), args.rate)
    parts = {"net": net, "mean": mean, "optimizer": optimizer}
    checkpoint = args.out.with_suffix(".checkpoint")
    step, start = 0, time.monotonic()
    if args.resume:
        saved = torch.load(checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        step, start = saved["step"], start - saved["seconds"]
        patches.rng = np.random.default_rng([args.seed, step])
    print(f"step {step}: {psnr(mean.module, patches):.3f} dB on {len(patches.held_out)} held-out patches", flush=True)
    progress = 0.0
    while progress < 1:
        step, seconds = step + 1, time.monotonic() - start
        progress = min(1.0, max(step / args.steps, seconds / 60 / args.minutes))
        optimizer.param_groups[0]["lr"] = rate_at(progress, args.rate)
        lr, hr = patches.batch(args.batch)
        optimizer.zero_grad()
        loss_at(progress, net(lr), hr).backward()
        optimizer.step()
        mean.update_parameters(net)
        if step % args.every == 0 or progress == 1:
            gap, count = save(mean.module, args.out)
            torch.save({n: p.state_dict() for n, p in parts.items()} | {"step": step, "seconds": seconds}, checkpoint)
            print(f"step {step}: {psnr(mean.module, patches):.3f} dB, {count} parameters, "
                  f"graph differs by {gap:.1e}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
