"""Times structures of (nearly) equal parameter count with random weights, to choose the graph by measurement.

    python variants.py            # 640x360, one thread, no spinning; prints ms per frame
"""
import argparse
import time

import numpy as np

import graph


def random_net(middle, channels=16, bias=True, **kind):
    """4 → channels, `middle` x (channels → channels), channels → 16, and the skip."""
    rng = np.random.default_rng(0)
    weight = lambda o, i: rng.normal(0, (9 * i) ** -0.5, (o, i, 3, 3)).astype(np.float32)
    widths = [4] + [channels] * (middle + 1) + [16]
    layers = [(weight(o, i), np.zeros(o) if bias else None) for i, o in zip(widths, widths[1:])]
    return graph.build(layers, weight(16, 4), **kind)


VARIANTS = {
    "skip concat, DCR, bias": random_net(2, join="concat"),
    "skip conv + Add, DCR, bias": random_net(2),
    "skip conv + Add, CRD, bias": random_net(2, shuffle="CRD"),
    "skip conv + Add, DCR, no bias": random_net(2, bias=False),
    "1 middle layer, conv + Add, DCR, bias": random_net(1),
    "3 middle layers, conv + Add, DCR, bias": random_net(3),
    "4 middle layers, conv + Add, DCR, bias": random_net(4),
    "1 middle layer of 32, conv + Add, DCR, bias": random_net(1, channels=32),
}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("--width", type=int, default=640)
    args.add_argument("--height", type=int, default=360)
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--rounds", type=int, default=15)
    args = args.parse_args()
    frame = {"luma": np.random.default_rng(0).random((1, 1, args.height, args.width), np.float32)}
    fixed = {"height": args.height, "width": args.width}
    nets = {(name, kind): graph.session(model, args.threads, **sizes)
            for name, model in VARIANTS.items() for kind, sizes in (("any", {}), ("fixed", fixed))}
    times = {key: [] for key in nets}
    for _ in range(args.rounds):  # taken in turns, so that a busy machine slows all alike
        for key, net in nets.items():
            for _ in range(4):
                start = time.perf_counter()
                net.run(None, frame)
                times[key].append(1000 * (time.perf_counter() - start))
    print(f"{'ms per frame: best, median':45}{'params':>8}{'any size':>16}{'fixed size':>16}")
    for name, model in VARIANTS.items():
        cells = [f"{min(t):8.2f}{np.median(t):8.2f}" for t in (times[name, "any"], times[name, "fixed"])]
        print(f"{name:45}{graph.parameters(model):8}" + "".join(cells))


if __name__ == "__main__":
    main()
