# SPDX-License-Identifier: Apache-2.0
"""Checkpoints and statistics for the tests, with nothing but the standard library."""
import array
import math
import random
import struct

from bitpq_torch import read_safetensors, write_safetensors


def gauss(shape, seed):
    draw = random.Random(seed)
    return [draw.gauss(0, 1) for _ in range(math.prod(shape))]


def pack(dtype, values):
    """Numbers as bytes; BF16 by cutting a float short."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    return struct.pack(f"<{len(values)}{dict(F16='e', F32='f', F64='d', I64='q')[dtype]}", *values)


def unpack(dtype, data):
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[i : i + 2])[0] for i in range(0, len(data), 2)]
    size = dict(F16=2, F32=4, F64=8)[dtype]
    return list(struct.unpack(f"<{len(data) // size}{dict(F16='e', F32='f', F64='d')[dtype]}", data))


def tensor(dtype, shape, seed):
    return dtype, shape, pack(dtype, gauss(shape, seed))


def small_network():
    """Weights of every type and some of what a checkpoint holds beside them."""
    return {
        "conv1.weight": tensor("F32", [32, 3, 3, 3], 1),
        "conv1.bias": tensor("F32", [32], 2),
        "layer1.conv.weight": tensor("F16", [32, 32, 3, 3], 3),
        "layer1.bn.running_mean": tensor("F32", [32], 4),
        "layer1.bn.num_batches_tracked": ("I64", [], pack("I64", [7])),
        "layer2.conv.weight": tensor("BF16", [64, 32, 1, 1], 5),
        "layer3.dw.weight": tensor("F32", [32, 8, 3, 3], 6),
        "embedding": tensor("F32", [40, 16], 7),
        "fc.weight": tensor("F64", [40, 64], 8),
        "fc.bias": tensor("F64", [40], 9),
    }


METADATA = {"format": "pt", "made_by": "a test"}


def gram(groups, cols, seed):
    """Second moments of 2 x cols inputs that are alike where their numbers are."""
    moments = array.array("d")
    for g in range(groups):
        n = 2 * cols
        x = gauss([n, cols], seed + g)
        for s in range(n):
            for c in range(1, cols):
                x[s * cols + c] = 0.8 * x[s * cols + c - 1] + 0.6 * x[s * cols + c]
        columns = [x[c::cols] for c in range(cols)]
        rows = [[sum(a * b for a, b in zip(columns[i], columns[j])) / n for j in range(i + 1)] for i in range(cols)]
        moments.extend(rows[max(i, j)][min(i, j)] for i in range(cols) for j in range(cols))
    return "F64", [groups, cols, cols], moments.tobytes()


def output_error(weights, approximation, moments, cols):
    """tr(E H E^T) / tr(W H W^T) of one group."""

    def energy(rows):
        total = 0.0
        for r in range(0, len(rows), cols):
            w = rows[r : r + cols]
            total += sum(w[i] * sum(h * v for h, v in zip(moments[i * cols : (i + 1) * cols], w)) for i in range(cols))
        return total

    return energy([a - b for a, b in zip(weights, approximation)]) / energy(weights)
