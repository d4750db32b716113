#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The published models, imported, answer as PyTorch does: within 2e-3 of its logits. Exit status 77 without PyTorch or
the evaluation data.

    test_published.py DATA LOGITS OUT      LOGITS: the program imagenet_logits; OUT: where imported models are left
"""
import pathlib
import subprocess
import sys

try:
    import torch  # noqa: F401
except ImportError:
    print("skipped: python3 has no torch")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ("resnet18_small_blocks", "resnet18_large_blocks", "resnet50_large_blocks")


def main():
    data, logits, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    if not (data / "kill-the-bits").is_dir():
        print(f"skipped: no {data / 'kill-the-bits'}")
        sys.exit(77)
    out.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        model = out / (name + ".safetensors")
        script = HERE.parent / "import" / "kill_the_bits.py"
        subprocess.run([sys.executable, "-B", script, data / "kill-the-bits" / (name + ".pth"), model], check=True)
        reference = data / "imagenet-dev" / "reference.safetensors"
        done = subprocess.run([logits, model, reference, name], check=True, capture_output=True, text=True)
        print(f"{name}: logits within {float(done.stdout):.2e}, {model.stat().st_size} bytes")
        assert float(done.stdout) <= 2e-3


if __name__ == "__main__":
    main()
