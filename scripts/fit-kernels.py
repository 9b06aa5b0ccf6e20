#!/usr/bin/env python3
"""Print the minimax coefficients of src/engine/kernels/generic/functions_body.h, as float literals.

Each fit is weighted least squares whose weights grow where the error is large (Lawson 1961), until
the errors are level. Needs numpy and scipy. Usage: python3 scripts/fit-kernels.py
"""
import numpy as np
from scipy.special import log_ndtr, ndtr


def nodes(low, high, count=1201):
    """Points dense towards the ends, as the extrema of a minimax error are."""
    return low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, count))) / 2


def fit(columns, wanted, weight, rounds=3000):
    """Coefficients that make the greatest of weight·|columns·c − wanted| small, and that error."""
    scale = np.abs(columns).max(0)
    level = np.full(len(wanted), 1 / len(wanted))
    best, coefficients = np.inf, None
    for _ in range(rounds):
        row = np.sqrt(level) * weight
        c = np.linalg.lstsq(columns / scale * row[:, None], wanted * row, rcond=1e-16)[0] / scale
        error = np.abs(weight * (columns @ c - wanted))
        if error.max() < best:
            best, coefficients = error.max(), c
        level *= error / error.max() + 1e-3
        level /= level.sum()
    return coefficients, best


def powers(x, first, last):
    return np.stack([x**k for k in range(first, last + 1)], 1)


def show(name, result):
    coefficients, error = result
    literals = ", ".join(f"{np.float32(c):.9g}f" for c in coefficients)
    print(f"{name}: error {error:.1e}\n    {literals}")


def main():
    f = nodes(-0.5, 0.5)
    show("2^f = 1 + f, f² … f⁶, relative", fit(powers(f, 1, 6), 2**f - 1, 2**-f))
    show("2^f = 1 + f, f², f³, relative", fit(powers(f, 1, 3), 2**f - 1, 2**-f))
    r = nodes(-0.3466, 0.3466)
    show("e^r = 1 + r + r² … r⁶, relative", fit(powers(r, 2, 6), np.exp(r) - 1 - r, np.exp(-r)))
    a = nodes(0, 6.2)
    weight = np.maximum(a * ndtr(-a) * np.log(2), 1e-9)
    show("log₂Φ(−a) = −1 + a … a⁸, weighted by the effect on a·Φ(−a)",
         fit(powers(a, 1, 8), log_ndtr(-a) / np.log(2) + 1, weight))
    show("log₂Φ(−a) = −1 + a … a⁴, weighted likewise",
         fit(powers(a, 1, 4), log_ndtr(-a) / np.log(2) + 1, weight))
    x = nodes(0.01, 0.63)
    show("tanh x = x + x³·(1, x² … x⁸), relative",
         fit(powers(x * x, 0, 4), (np.tanh(x) - x) / x**3, x**3 / np.tanh(x)))


if __name__ == "__main__":
    main()
