"""Scores the ONNX file on Set5 and Set14 beside bicubic and Lanczos.

    python evaluate.py --images /path/to/images        # holds Set5/ and Set14/, *_SRF_2_{LR,HR}.png

PSNR of studio luma (peak 255) with a border of 2 pixels shaved, averaged over the pictures. The output is
rounded and clipped to 8 bits like the product's; `8-bit in` also rounds the input, as video does.
"""
import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import graph
import resample


def psnr(out, hr):
    gap = (resample.to_byte(out) - hr)[2:-2, 2:-2]
    return 10 * np.log10(255**2 / np.mean(gap.astype(np.float64) ** 2))


def network(path):
    """The model as a function of planes [H,W] 0..255. Odd sides are extended by a repeated edge."""
    net = graph.session(str(path))

    def run(plane):
        h, w = plane.shape
        even = np.pad(plane, ((0, h % 2), (0, w % 2)), "edge").astype(np.float32) / 255
        return net.run(None, {"luma": even[None, None]})[0][0, 0, : 2 * h, : 2 * w] * 255

    return run


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("--images", type=Path, required=True)
    args.add_argument("--model", type=Path, default=Path(__file__).parent.parent / "swift-s-x2.onnx")
    args.add_argument("--each", action="store_true", help="also print every picture")
    args = args.parse_args()
    net = network(args.model)
    methods = {"bicubic": resample.double, "Lanczos": lambda p: resample.double(p, resample.lanczos),
               args.model.stem: net, "8-bit in": lambda p: net(resample.to_byte(p))}
    print(f"{'':20}" + "".join(f"{name:>12}" for name in methods) + "        gain")
    for folder in ("Set5", "Set14"):
        scores = []
        for path in sorted((args.images / folder).glob("*_SRF_2_HR.png")):
            hr = resample.luma(Image.open(path))
            lr = resample.luma(Image.open(path.with_name(path.name.replace("HR", "LR"))))
            scores.append([psnr(method(lr), hr) for method in methods.values()])
            if args.each:
                print(f"{path.stem[:-9]:20}" + "".join(f"{s:12.2f}" for s in scores[-1]))
        mean = np.mean(scores, 0)
        print(f"{folder:20}" + "".join(f"{s:12.3f}" for s in mean) + f"{mean[2] - mean[0]:12.3f}")


if __name__ == "__main__":
    main()
