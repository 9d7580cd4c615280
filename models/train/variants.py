"""Times structures of (nearly) equal parameter count with random weights, to choose the graph by measurement.

    python variants.py            # 640x360, one thread, no spinning; prints ms per frame
"""
import argparse
import time

import numpy as np
import onnxruntime as ort

import graph


def session(model, threads=1):
    """A CPU session as the product makes it: capped threads that sleep instead of spinning."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    data = model if isinstance(model, (str, bytes)) else model.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def random_net(middle, channels=16, bias=True, **kind):
    """4 → channels, `middle` x (channels → channels), channels → 16, and the skip."""
    rng = np.random.default_rng(0)
    weight = lambda o, i: rng.normal(0, (9 * i) ** -0.5, (o, i, 3, 3)).astype(np.float32)
    widths = [4] + [channels] * (middle + 1) + [16]
    layers = [(weight(o, i), np.zeros(o) if bias else None) for i, o in zip(widths, widths[1:])]
    return graph.build(layers, weight(16, 4), **kind)


VARIANTS = {
    "skip concat, DCR, bias": random_net(4, join="concat"),
    "skip concat, CRD, bias": random_net(4, join="concat", shuffle="CRD"),
    "skip conv + Add, DCR, bias": random_net(4),
    "skip conv + Add, CRD, bias": random_net(4, shuffle="CRD"),
    "skip conv + Add, DCR, no bias": random_net(4, bias=False),
    "skip conv + Add, CRD, no bias": random_net(4, bias=False, shuffle="CRD"),
    "5 middle layers, conv + Add, DCR, no bias": random_net(5, bias=False),
    "3 middle layers, conv + Add, DCR, bias": random_net(3),
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
    nets = {name: session(model, args.threads) for name, model in VARIANTS.items()}
    times = {name: [] for name in nets}
    for _ in range(args.rounds):  # taken in turns, so that a busy machine slows all alike
        for name, net in nets.items():
            for _ in range(4):
                start = time.perf_counter()
                net.run(None, frame)
                times[name].append(1000 * (time.perf_counter() - start))
    for name, ms in times.items():
        print(f"{name:45} {graph.parameters(VARIANTS[name]):6} params  "
              f"median {np.median(ms):6.2f} ms  best {min(ms):6.2f} ms")


if __name__ == "__main__":
    main()
