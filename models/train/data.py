"""Builds the training patches: photographs and drawings from Debian packages, degraded by known kernels.

    python data.py --work /tmp/train

Fetches each package with `apt-get download`, checks its sha256, unpacks it with `dpkg -x` (nothing is
installed, nothing needs root) and writes two arrays for train.py to map into memory:

    hr.npy  uint8 [N, 128, 128]  studio luma
    lr.npy  uint8 [N, 64, 64]    the same area at half the size, after the degradation
"""
import argparse
import hashlib
import io
import os
import re
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import resample

# name, version, sha256 of the .deb (Debian 12). What each holds and its licences: README.md.
PACKAGES = [
    ("gcompris-qt-data", "3.1-2",
     "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f"),
    ("lomiri-wallpapers-16.04", "20.04.0-2",
     "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab"),
    ("lomiri-wallpapers-20.04", "20.04.0-2",
     "d44e89b8473aafe64a5b678f014862dc31335aaaf18665c544d985d854f1a709"),
    ("mate-backgrounds", "1.26.0-1",
     "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04"),
    ("plasma-workspace-wallpapers", "4:5.27.5-2",
     "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b"),
    ("ukui-wallpapers", "20.04.3-1.1",
     "6d49be70152e6d603163458e177e501deb0be8f2916389ccbfcf59b0d7fc0262"),
]

HR = 128  # patch side; the low-resolution patch is half of it
PER_PICTURE = 160  # patches at most from one picture at one size, so that no large one dominates
OTHER_KERNELS = [resample.lanczos, resample.triangle, resample.box,
                 resample.gaussian(0.4), resample.gaussian(0.55)]
Image.MAX_IMAGE_PIXELS = None  # the wallpapers are larger than PIL's guard expects, and hash-checked


def fetch(work):
    """Downloads, verifies and unpacks PACKAGES under work; returns their folders."""
    debs, out = work / "debs", work / "img"
    for folder in (debs, out):
        folder.mkdir(parents=True, exist_ok=True)
    for name, version, digest in PACKAGES:
        deb = debs / f"{name}_{version.replace(':', '%3a')}_all.deb"
        if not deb.exists():
            subprocess.run(["apt-get", "download", f"{name}={version}"], cwd=debs, check=True)
        if hashlib.sha256(deb.read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{deb}: sha256 differs from the one in data.py")
        subprocess.run(["dpkg", "-x", deb, out / name], check=True)  # always: a broken-off one looks done
    return [out / name for name, _, _ in PACKAGES]


def pictures(folder):
    """Yields every raster picture of at least 150 000 pixels, in a fixed order, as a PIL image.

    GCompris keeps its pictures uncompressed in Qt resource files (.rcc), where they are found by magic.
    """
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        if path.suffix == ".rcc":
            blob = path.read_bytes()
            starts = [m.start() for m in re.finditer(rb"\xff\xd8\xff|RIFF....WEBP", blob, re.S)]
            sources = [io.BytesIO(blob[s:]) for s in starts]
        elif path.suffix in (".jpg", ".png", ".webp"):
            sources = [path]
        else:
            continue
        for source in sources:
            try:
                image = Image.open(source)
                if image.width * image.height >= 150_000:
                    image = image.convert("RGBA")
                    yield Image.alpha_composite(Image.new("RGBA", image.size, (160, 160, 160)), image)
            except (OSError, SyntaxError):  # a magic number by chance, not a picture
                continue


def drawing(rng):
    """One synthetic page of text, lines and shapes: subtitles, credits, cartoons and interfaces."""
    over = int(rng.choice([1, 2, 3]))  # drawn larger, then reduced: from hard to smooth edges
    side = 512 * over
    grey = lambda: (int(rng.integers(0, 256)),) * 3
    image = Image.new("RGB", (side, side), grey())
    pen = ImageDraw.Draw(image)
    point = lambda: tuple(int(v) for v in rng.integers(-40, side + 40, 2))
    for _ in range(rng.integers(10, 40)):
        width = int(rng.integers(1, 6)) * over
        match rng.integers(0, 5):
            case 0:
                pen.line([point(), point(), point()], grey(), width)
            case 1:
                pen.polygon([point(), point(), point()], grey(), grey())
            case 2:
                (x, y), r = point(), int(rng.integers(4, 90)) * over
                pen.ellipse([x - r, y - r, x + r, y + r], grey(), grey(), width)
            case _:
                letters = "".join(chr(c) for c in rng.choice([*range(97, 123), *range(65, 91), 32, 46], 40))
                font = ImageFont.load_default(int(rng.integers(9, 40)) * over)
                pen.text(point(), letters, grey(), font, stroke_width=int(rng.random() < 0.2) * over,
                         stroke_fill=grey())
    return image.resize((512, 512), Image.Resampling.LANCZOS)


def sizes(image, rng):
    """Yields luma planes with even sides: large photographs are reduced until every pixel is sharp."""
    longest = max(image.size)
    for target in (2000, 1200) if longest > 2000 else (longest, 0.6 * longest):
        by = rng.choice([Image.Resampling.LANCZOS, Image.Resampling.BOX])
        factor = min(1, target / longest)
        w, h = (int(n * factor) // 2 * 2 for n in image.size)
        if min(w, h) >= HR:
            small = image if (w, h) == image.size else image.resize((w, h), by)
            yield resample.luma(small)


def jpeg(patch, quality):
    """The patch (uint8 [64, 64]) after a trip through JPEG."""
    file = io.BytesIO()
    Image.fromarray(patch).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def cut(plane, rng):
    """Yields (hr, lr) uint8 patches of one plane, those with more to restore more often."""
    low = resample.halve(plane)
    loss = (plane - resample.double(low)) ** 2
    other = resample.halve(plane, OTHER_KERNELS[rng.integers(len(OTHER_KERNELS))])
    hr, low, other = (resample.to_byte(p).astype(np.uint8) for p in (plane, low, other))
    spots = [(y, x) for y in range(0, plane.shape[0] - HR + 1, HR // 2)
             for x in range(0, plane.shape[1] - HR + 1, HR // 2)]
    kept = 0
    for y, x in rng.permutation(spots):
        detail = loss[y : y + HR, x : x + HR].mean()
        if rng.random() > max(0.02, detail / 25):  # 25: bicubic at 34 dB, about Set5's mean
            continue
        source = other if rng.random() < 0.15 else low
        lr = source[y // 2 : (y + HR) // 2, x // 2 : (x + HR) // 2]
        if rng.random() < 0.10:
            lr = jpeg(lr, int(rng.integers(60, 96)))
        yield hr[y : y + HR, x : x + HR], lr
        kept += 1
        if kept == PER_PICTURE:
            return


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("--work", type=Path, required=True, help="scratch folder (about 2 GB)")
    args.add_argument("--drawings", type=int, default=60, help="synthetic pages")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rng = np.random.default_rng(args.seed)
    pairs = []
    for folder in fetch(args.work):
        before, count = len(pairs), 0
        for count, image in enumerate(pictures(folder), 1):
            for plane in sizes(image, rng):
                pairs += cut(plane, rng)
        print(f"{folder.name}: {count} pictures, {len(pairs) - before} patches", flush=True)
    before = len(pairs)
    for _ in range(args.drawings):
        pairs += list(cut(resample.luma(drawing(rng)), rng))[:40]
    print(f"synthetic: {args.drawings} pages, {len(pairs) - before} patches")
    for name, side in (("hr", 0), ("lr", 1)):
        np.save(args.work / f"{name}.npy", np.stack([p[side] for p in pairs]))
    print(f"{len(pairs)} patches, sha256 of lr.npy "
          + hashlib.sha256((args.work / "lr.npy").read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
