#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the compressed ResNets that were published with "And the bit goes down" (Stock et al., ICLR 2020) into bitpq's
safetensors. Nothing is quantized again: codes and codewords are theirs, bit for bit. Needs PyTorch.

    kill_the_bits.py resnet50_large_blocks.pth resnet50.safetensors

docs/import.md says what such files hold, and what PQF's lack.
"""
import json
import re
import struct
import sys

import torch

DTYPES = {torch.float16: "F16", torch.float32: "F32"}


def write_safetensors(path, tensors, metadata):
    """tensors: {name: (dtype, shape, bytes)}. Header padded, the largest elements first: see docs/format.md."""
    size = {"F32": 4, "F16": 2, "U8": 1}
    header, offset = {"__metadata__": dict(sorted(metadata.items()))}, 0
    order = sorted(tensors, key=lambda name: (-size[tensors[name][0]], name))
    for name in order:
        dtype, shape, data = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            f.write(tensors[name][2])


def plain(tensor):
    """A float tensor as it is."""
    tensor = tensor.detach().contiguous()
    return DTYPES[tensor.dtype], list(tensor.shape), bytes(tensor.view(torch.uint8).reshape(-1).tolist())


def packed(codes, bits):
    """Codes one after the other without gaps, the lowest bit first."""
    spread = (codes.reshape(-1, 1) >> torch.arange(bits)) & 1
    spread = torch.nn.functional.pad(spread.reshape(-1), (0, -codes.numel() * bits % 8)).reshape(-1, 8)
    return bytes((spread << torch.arange(8)).sum(1).tolist())


def stride_of(name, bottleneck):
    """The files do not tell, but all of these networks halve their maps in the same places."""
    if not re.match(r"layer[234]\.0\.", name):
        return 1
    return 2 if name.endswith(("downsample.0", "conv2" if bottleneck else "conv1")) else 1


def record(name, layer, rows, columns, words, block, bits, bottleneck):
    """The string of metadata that says what a layer is."""
    code = f"block={block} codewords={words} code_bits={bits}"
    if not layer["is_conv"]:
        return f"linear out={rows} in={columns} {code}"
    k, stride = layer["k"], stride_of(name, bottleneck)
    shape = f"out={rows} in={columns // (k * k)} kernel={k}x{k}"
    steps = f" stride={stride}x{stride}" if stride > 1 else ""
    border = f" padding={k // 2}x{k // 2}" if k > 1 else ""
    return f"conv2d {shape}{steps}{border} {code}"


def compressed(name, layer, bottleneck):
    """(metadata, tensors) of a layer. Its codes lie block after block, one for each output: ours lie row after row."""
    words, block = layer["centroids"].shape
    blocks = layer["n_blocks"]
    codes = layer["assignments"].long()
    rows, rest = divmod(codes.numel(), blocks)
    if rest or codes.min() < 0 or codes.max() >= words:
        raise ValueError(f"{name}: {codes.numel()} codes for {blocks} blocks and {words} codewords")
    bits = max(1, (words - 1).bit_length())
    data = packed(codes.reshape(blocks, rows).t(), bits)
    weight = name + ".weight"
    return (
        {"bitpq.layer." + weight: record(name, layer, rows, blocks * block, words, block, bits, bottleneck)},
        {
            weight + ".codes": ("U8", [len(data)], data),
            weight + ".codebook": plain(layer["centroids"].reshape(1, words, block)),
        },
    )


def convert(state):
    """(metadata, tensors) of a whole checkpoint."""
    metadata, tensors = {"bitpq.format": "1"}, {}
    bottleneck = any(name.endswith("conv3") for name in state)
    for name, layer in state.items():
        if "assignments" in layer:
            more, parts = compressed(name, layer, bottleneck)
            metadata.update(more)
            tensors.update(parts)
        else:  # the first convolution, batch norms with their statistics folded in, the classifier's bias
            tensors.update({f"{name.replace('fc_bias', 'fc')}.{part}": plain(value) for part, value in layer.items()})
    return metadata, tensors


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    metadata, tensors = convert(torch.load(sys.argv[1], map_location="cpu"))
    write_safetensors(sys.argv[2], tensors, metadata)


if __name__ == "__main__":
    main()
