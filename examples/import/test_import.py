#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test of kill_the_bits.py on a checkpoint in the published form that it makes itself: every weight of what is written
is the one that the checkpoint stands for. Exit status 77 where there is no PyTorch.

    test_import.py DECODER      DECODER: tests/golden/decode_by_hand.py
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: python3 has no torch")
    sys.exit(77)

import kill_the_bits

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from bitpq_torch import read_safetensors  # noqa: E402


def layer(rows, columns, block, words, kernel, conv=True):
    """A layer as it is published: codes block after block, in 8 bits, or in 16 where there are more codewords."""
    blocks = columns // block
    codes = torch.randint(words, (blocks * rows,))
    return {
        "centroids": torch.randn(words, block).half(),
        "assignments": codes.to(torch.uint8 if words <= 256 else torch.int16),
        "n_blocks": blocks,
        "is_conv": conv,
        "k": kernel,
    }


def weights_of(published):
    """Row by row: block j of row r is the codeword that assignment j * rows + r names."""
    blocks = published["n_blocks"]
    codes = published["assignments"].long().reshape(blocks, -1)
    return torch.cat([published["centroids"][codes[j]].float() for j in range(blocks)], 1)


def decoded(model, layer, decoder):
    out = model + ".weights"
    subprocess.run([sys.executable, decoder, model, layer, out], check=True)
    return torch.frombuffer(bytearray(pathlib.Path(out).read_bytes()), dtype=torch.float32)


def main():
    decoder = sys.argv[1]
    torch.manual_seed(1)
    state = {
        "layer2.0.conv1": layer(8, 16, 4, 64, 1),
        "layer2.0.conv2": layer(8, 72, 18, 256, 3),
        "layer2.0.conv3": layer(32, 8, 8, 5, 1),
        "layer2.0.downsample.0": layer(32, 16, 8, 256, 1),
        "fc": layer(10, 32, 4, 1024, 1, conv=False),
        "conv1": {"weight": torch.randn(8, 3, 7, 7).half()},
        "fc_bias": {"bias": torch.nn.Parameter(torch.randn(10))},
        "bn1": {"weight": torch.randn(8).half(), "bias": torch.randn(8).half()},
    }
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, model = folder + "/model.pth", folder + "/model.safetensors"
        torch.save(state, checkpoint)
        sys.argv = ["kill_the_bits.py", checkpoint, model]
        kill_the_bits.main()
        tensors, metadata = read_safetensors(model)
        for name, published in state.items():
            if "assignments" in published:
                want = weights_of(published)
                assert torch.equal(decoded(model, name + ".weight", decoder).reshape(want.shape), want), name
    assert "kernel=3x3 stride=2x2 padding=1x1" in metadata["bitpq.layer.layer2.0.conv2.weight"]
    assert " kernel=1x1 block=" in metadata["bitpq.layer.layer2.0.conv1.weight"]
    assert "stride=2x2" in metadata["bitpq.layer.layer2.0.downsample.0.weight"]
    assert metadata["bitpq.layer.fc.weight"] == "linear out=10 in=32 block=4 codewords=1024 code_bits=10"
    assert tensors["fc.bias"][:2] == ("F32", [10]) and tensors["bn1.weight"][:2] == ("F16", [8])
    assert tensors["conv1.weight"][2] == bytes(state["conv1"]["weight"].view(torch.uint8).reshape(-1).tolist())
    state["fc"]["assignments"][0] = 2000
    try:
        kill_the_bits.convert(state)
    except ValueError as e:
        assert "fc: 80 codes for 8 blocks and 1024 codewords" in str(e)
    else:
        raise AssertionError("a code beyond the codewords was taken")


if __name__ == "__main__":
    main()
