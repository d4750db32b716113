#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes one layer of a compressed model with nothing but the standard library: see docs/format.md.

    decode_by_hand.py MODEL LAYER OUT     writes rows x cols little-endian floats (doubles for an F64 codebook)
"""
import array, json, math, struct, sys

with open(sys.argv[1], "rb") as f:
    data = f.read()
length, = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])
layer = sys.argv[2]


def numbers(name):
    tensor = header[layer + name]
    begin, end = tensor["data_offsets"]
    letter = {"U8": "B", "I8": "b", "F16": "e", "F32": "f", "F64": "d"}[tensor["dtype"]]
    return struct.unpack(f"<{math.prod(tensor['shape'])}{letter}", data[8 + length :][begin:end])


def rounded(value):
    """To the scalar type that the host computes in."""
    return struct.unpack(scalar, struct.pack(scalar, value))[0]


kind, *fields = header["__metadata__"]["bitpq.layer." + layer].split(" ")
record = {"groups": 1, "codebooks": 1, "stages": 1} | dict(field.split("=") for field in fields)
rows, d, codewords, codebooks, bits = (int(record[k]) for k in "out block codewords codebooks code_bits".split())
stages = int(record["stages"])
kernel = [int(k) for k in record.get("kernel", "1x1").split("x")]
cols = int(record["in"]) // int(record["groups"]) * math.prod(kernel)

blocks = -(-cols // d)
blocks_per_codebook = -(-blocks // codebooks)
packed = int.from_bytes(bytes(numbers(".codes")), "little")
book = numbers(".codebook")
scales = numbers(".codebook_scale") if layer + ".codebook_scale" in header else [1.0] * codebooks * stages
row_scales = numbers(".row_scale") if "scales" in record else [1.0] * rows

scalar = "<d" if header[layer + ".codebook"]["dtype"] == "F64" else "<f"
weights = array.array(scalar[1])
for row in range(rows):
    for column in range(cols):
        block, i = divmod(column, d)
        terms = []
        for stage in range(stages):
            code = packed >> (((row * stages + stage) * blocks + block) * bits) & ((1 << bits) - 1)
            b = stage * codebooks + block // blocks_per_codebook
            terms.append(rounded(book[(b * codewords + code) * d + i] * scales[b]))
        weight = terms[0]
        for term in terms[1:]:
            weight = rounded(weight + term)
        weights.append(weight * row_scales[row])
if sys.byteorder == "big":
    weights.byteswap()
with open(sys.argv[3], "wb") as f:
    weights.tofile(f)
