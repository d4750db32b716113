#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints with the tensors of torchvision's networks, for trying out rules without the networks' weights.

    architectures.py NETWORK FILE [--folded] [--zeros]      NETWORK: resnet18, resnet50, maskrcnn_resnet50_fpn

Weights are random, of a size that keeps activations in bounds; with --zeros the file is a hole on the disk. Batch norms
have the running statistics of a network in training or, --folded, weight and bias that these are folded into.
"""
import array
import json
import math
import os
import struct
import sys

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def norm(name, channels):
    """Its batch norm's tensors."""
    statistics = {name + ".running_mean": ("F32", [channels]), name + ".running_var": ("F32", [channels])}
    return {name + ".weight": ("F32", [channels]), name + ".bias": ("F32", [channels]), **statistics}


def layer(name, *shape):
    """A weight and a bias."""
    return {name + ".weight": ("F32", list(shape)), name + ".bias": ("F32", [shape[0]])}


def body(network, width, prefix=""):
    """The convolutions and batch norms of a ResNet; `width` instead of 64 channels."""
    tensors = {prefix + "conv1.weight": ("F32", [width, 3, 7, 7]), **norm(prefix + "bn1", width)}
    channels = width
    for stage, blocks in enumerate(BLOCKS[network]):
        inner = width << stage
        outer = inner if network == "resnet18" else 4 * inner
        kernels = (3, 3) if network == "resnet18" else (1, 3, 1)
        for block in range(blocks):
            name = f"{prefix}layer{stage + 1}.{block}."
            if channels != outer:
                tensors[name + "downsample.0.weight"] = ("F32", [outer, channels, 1, 1])
                tensors.update(norm(name + "downsample.1", outer))
            for i, kernel in enumerate(kernels, 1):
                out = outer if i == len(kernels) else inner
                tensors[f"{name}conv{i}.weight"] = ("F32", [out, channels, kernel, kernel])
                tensors.update(norm(f"{name}bn{i}", out))
                channels = out
    return tensors


def resnet(network, width=64):
    tensors = body(network, width)
    tensors.update(layer("fc", 1000, width << 3 if network == "resnet18" else width << 5))
    counts = {n[: -len("running_var")] + "num_batches_tracked" for n in tensors if n.endswith("running_var")}
    return {**tensors, **{n: ("I64", []) for n in sorted(counts)}}


def maskrcnn(width=64):
    """As published: the batch norms are frozen and count no batches."""
    wide, hidden, classes = 4 * width, 16 * width, 91
    tensors = body("resnet50", width, "backbone.body.")
    for i in range(4):
        tensors.update(layer(f"backbone.fpn.inner_blocks.{i}.0", wide, wide << i, 1, 1))
        tensors.update(layer(f"backbone.fpn.layer_blocks.{i}.0", wide, wide, 3, 3))
        tensors.update(layer(f"roi_heads.mask_head.{i}.0", wide, wide, 3, 3))
    tensors.update(layer("rpn.head.conv.0.0", wide, wide, 3, 3))
    tensors.update(layer("rpn.head.cls_logits", 3, wide, 1, 1))
    tensors.update(layer("rpn.head.bbox_pred", 12, wide, 1, 1))
    tensors.update(layer("roi_heads.box_head.fc6", hidden, 49 * wide))
    tensors.update(layer("roi_heads.box_head.fc7", hidden, hidden))
    tensors.update(layer("roi_heads.box_predictor.cls_score", classes, hidden))
    tensors.update(layer("roi_heads.box_predictor.bbox_pred", 4 * classes, hidden))
    tensors.update(layer("roi_heads.mask_predictor.conv5_mask", wide, wide, 2, 2))
    tensors.update(layer("roi_heads.mask_predictor.mask_fcn_logits", classes, wide, 1, 1))
    return tensors


def folded(tensors):
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return {name: t for name, t in tensors.items() if not name.endswith(statistics)}


def tensors_of(network, width=64):
    """{name: (dtype, shape)}"""
    return maskrcnn(width) if network == "maskrcnn_resnet50_fpn" else resnet(network, width)


def random_bytes(name, dtype, shape):
    """Weights: of either sign, magnitudes spread over an octave around 1 / sqrt(inputs); else what does nothing."""
    count = math.prod(shape)
    if len(shape) < 2:
        one = name.endswith(("running_var", ".weight"))
        return struct.pack("<f", float(one)) * count if dtype == "F32" else bytes(8 * count)
    exponent = 127 - round(math.log2(math.prod(shape[1:])) / 2)
    each = array.array("I", [0x807FFFFF]) * count, array.array("I", [exponent << 23]) * count
    keep, put = (int.from_bytes(words.tobytes(), sys.byteorder) for words in each)
    return (int.from_bytes(os.urandom(4 * count), "little") & keep | put).to_bytes(4 * count, "little")


def write_checkpoint(path, tensors, zeros=False):
    entries, offset = {}, 0
    for name, (dtype, shape) in tensors.items():
        end = offset + math.prod(shape) * (8 if dtype == "I64" else 4)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(entries).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header)
        if zeros:
            f.truncate(f.tell() + offset)
        else:
            for name, (dtype, shape) in tensors.items():
                f.write(random_bytes(name, dtype, shape))


if __name__ == "__main__":
    options = {"--folded", "--zeros"} & set(sys.argv[3:])
    if len(sys.argv) != 3 + len(options) or sys.argv[1] not in (*BLOCKS, "maskrcnn_resnet50_fpn"):
        sys.exit(__doc__)
    chosen = tensors_of(sys.argv[1])
    write_checkpoint(sys.argv[2], folded(chosen) if "--folded" in options else chosen, "--zeros" in options)
