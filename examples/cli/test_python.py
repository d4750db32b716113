#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of bitpq_torch.py and of docs/python.md.

    test_python.py files DOCS              what needs no PyTorch
    test_python.py torch DOCS PROGRAM      the whole way of docs/python.md; exit status 77 where there is no PyTorch
"""
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import bitpq_torch
from bitpq_torch import read_safetensors, write_safetensors

DOCS = pathlib.Path(sys.argv[2]).read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)


def test_files():
    """What is written is read, the header as the format wants it; the hooks of the page are those of the script."""
    tensors = {
        "a": ("F32", [2, 3], struct.pack("<6f", *range(6))),
        "empty": ("F16", [0], b""),
        "scalar": ("I64", [], struct.pack("<q", -5)),
        "\u00fc": ("U8", [1], b"\x07"),
    }
    write_safetensors("t", tensors, {"k": "v"})
    assert read_safetensors("t") == (tensors, {"k": "v"})
    write_safetensors("t", tensors)
    assert read_safetensors("t") == (tensors, {})
    data = pathlib.Path("t").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    assert len(data) == 8 + length + 24 + 8 + 1
    assert BLOCKS[1] in pathlib.Path(bitpq_torch.__file__).read_text()
    assert len(BLOCKS) == 3


def a_model(torch):
    nn = torch.nn
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 1, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16, 32),
    )
    with torch.no_grad():
        model(torch.randn(64, 3, 8, 8))  # so that batch norm has seen something
    return model


def test_torch(program):
    import torch

    model, batches = a_model(torch), [torch.randn(16, 3, 8, 8) for _ in range(4)]
    held_out = torch.randn(64, 3, 8, 8)
    scope = {"model": model, "batches": batches}
    exec(BLOCKS[0], scope)
    wanted = model(held_out)
    before = model.state_dict()

    # The statistics are what the layers see: |W x|^2 on average is tr(W H W^T).
    stats, _ = read_safetensors("stats.safetensors")
    assert {n: s[1] for n, s in stats.items()} == {
        "0.gram": [1, 27, 27], "3.gram": [2, 144, 144], "5.gram": [1, 64, 64], "8.gram": [1, 1024, 1024]
    }
    grams = scope["load_tensors"]("stats.safetensors")
    energy = {}
    hooks = [
        layer.register_forward_hook(lambda layer, i, y, name=name: energy.setdefault(name, []).append(
            (y.double() - (0 if layer.bias is None else layer.bias.double().reshape(1, -1, *[1] * (y.dim() - 2)))).square()
            .transpose(0, 1).flatten(1).mean(1).sum()))
        for name, layer in model.named_modules() if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for h in hooks:
        h.remove()
    for name, values in energy.items():
        h = grams[name + ".gram"]
        w = before[name + ".weight"].double().reshape(h.shape[0], -1, h.shape[1])
        found = torch.einsum("gri,gij,grj->", w, h, w)
        assert abs(found / torch.stack(values).mean() - 1) < 1e-5, name

    for words in re.findall(r"^bitpq (compress|info|decompress)(.*)$", DOCS, re.MULTILINE):
        subprocess.run([program, words[0], *words[1].split()], check=True)
    exec(BLOCKS[2], scope)
    after = model.state_dict()
    assert list(after) == list(before) or sorted(after) == sorted(before)
    for name, tensor in read_safetensors("back.safetensors")[0].items():
        assert tensor[:2] == read_safetensors("model.safetensors")[0][name][:2], name
    changed = [n for n, t in read_safetensors("back.safetensors")[0].items()
               if t != read_safetensors("model.safetensors")[0][n]]
    assert sorted(changed) == ["0.weight", "3.weight", "5.weight", "8.weight"], changed
    with torch.no_grad():
        got = model(held_out)
    error = ((got - wanted).square().sum() / wanted.square().sum()).item()
    print(f"relative output error of the network: {error:.4f}")
    assert 0 < error < 0.5


if __name__ == "__main__":
    program = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if sys.argv[1] == "files":
            test_files()
        else:
            try:
                import torch  # noqa: F401
            except ImportError as why:
                print(f"skipped: {why} (Debian: python3-torch)")
                sys.exit(77)
            test_torch(program)
        os.chdir("/")
