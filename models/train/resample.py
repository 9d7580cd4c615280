"""Luma planes and the plain resamplers, shared by the data set and the evaluation.

A plane is a float array [H, W] of studio-range luma as it lies in video memory (16..235 nominal, not
divided by 255). All filters are separable, scale by exactly 2, and keep the pixel centres of MPEG-2
video and of MATLAB's imresize: output sample i covers input samples 2i and 2i+1. Edges are mirrored.
"""
import numpy as np


def luma(image):
    """BT.601 studio luma [H, W], float32 16..235, of a PIL image (grey is read as R=G=B)."""
    rgb = np.asarray(image.convert("RGB"), np.float32) / 255
    return 16 + rgb @ np.array([65.481, 128.553, 24.966], np.float32)


def cubic(x, a=-0.5):
    """Keys' cubic kernel; a=-0.5 is MATLAB's bicubic, the one that made Set5 and Set14."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def lanczos(x, lobes=3):
    return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0)


def triangle(x):
    return np.maximum(0, 1 - np.abs(x))


def box(x):
    return (np.abs(x) < 0.5).astype(float)


def gaussian(sigma):
    """A blur of `sigma` low-resolution pixels, as old scalers and soft lenses make it."""
    return lambda x: np.exp(-0.5 * (x / sigma) ** 2)


def _halve(plane, kernel):
    reach = 6  # in high-resolution pixels: three lobes of a kernel stretched by 2
    taps = kernel((np.arange(-reach, reach) + 0.5) / 2)
    taps = (taps / taps.sum()).astype(np.float32)
    wide = np.pad(plane, ((reach - 1, reach - 1), (0, 0)), "symmetric")
    rows = plane.shape[0] // 2
    return sum(t * wide[k : k + 2 * rows : 2] for k, t in enumerate(taps))


def _double(plane, kernel):
    reach = 3
    wide = np.pad(plane, ((reach, reach), (0, 0)), "symmetric")
    out = np.empty((2 * plane.shape[0], plane.shape[1]), plane.dtype)
    for phase, shift in ((0, -0.25), (1, 0.25)):
        taps = kernel(np.arange(-reach, reach + 1) - shift)
        taps /= taps.sum()
        out[phase::2] = sum(t * wide[k : k + plane.shape[0]] for k, t in enumerate(taps))
    return out


def halve(plane, kernel=cubic):
    """Antialiased downscale by 2: the kernel is stretched to the low-resolution grid. H, W even."""
    return _halve(_halve(plane, kernel).T, kernel).T


def double(plane, kernel=cubic):
    """Interpolation by 2."""
    return _double(_double(plane, kernel).T, kernel).T


def to_byte(plane):
    """Rounds and clips like the product's last step; stays float."""
    return np.clip(np.rint(plane), 0, 255)
