#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of docs/models.md: what `bitpq info` says of torchvision's networks and the rules in rules/.

    models_table.py PROGRAM
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import architectures

RULES = pathlib.Path(__file__).parent / "rules"
RESNETS = [(network, blocks) for network in ("resnet18", "resnet50") for blocks in ("small", "large")]
MASK_RCNN = "maskrcnn_resnet50_fpn"
SIZES = re.compile(r"^as the paper counts: (\d+) bytes, .*; this file: at most (\d+) bytes", re.MULTILINE)


def megabytes(size):
    return f"{size / 2**20:.3f}"


class checkpoints:
    """Files of zeros with the networks' tensors; they take no place on the disk."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def path(self, network, folded):
        path = self.folder / (network + "-folded" * folded)
        if not path.exists():
            tensors = architectures.tensors_of(network)
            architectures.write_checkpoint(path, architectures.folded(tensors) if folded else tensors, zeros=True)
        return path


def sizes(program, checkpoint, rules, *options):
    """Bytes as the paper counts, and of the file."""
    words = [program, "info", checkpoint, "--rules", RULES / (rules + ".json"), *options]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return tuple(int(size) for size in SIZES.search(text).groups())


def print_resnets(program, files):
    print("| network | blocks | as the paper counts | `--notes no` | file | `--rest F16` | not folded, `--rest F16` |")
    print("|---|---|---|---|---|---|---|")
    for network, blocks in RESNETS:
        rules = f"{network}-{blocks}"
        paper, bare = sizes(program, files.path(network, True), rules, "--notes", "no")
        columns = [bare, sizes(program, files.path(network, True), rules)[1]]
        columns += [sizes(program, files.path(network, folded), rules, "--rest", "F16")[1] for folded in (True, False)]
        texts = [f"{megabytes(size)} ({100 * (size / paper - 1):+.2f} %)" for size in columns]
        print(f"| {network} | {blocks} | {megabytes(paper)} | " + " | ".join(texts) + " |")


def print_mask_rcnn(program, files):
    dense = files.path(MASK_RCNN, False)
    print("| | bytes | MB | times smaller |\n|---|---|---|---|")
    print(f"| checkpoint | {dense.stat().st_size} | {megabytes(dense.stat().st_size)} | |")
    paper, file = sizes(program, dense, "maskrcnn-resnet50-fpn")
    half = sizes(program, dense, "maskrcnn-resnet50-fpn", "--rest", "F16")[1]
    for what, size in (("as the paper counts", paper), ("file", file), ("file, `--rest F16`", half)):
        print(f"| {what} | {size} | {megabytes(size)} | {dense.stat().st_size / size:.1f} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print_resnets(sys.argv[1], checkpoints(folder))
        print()
        print_mask_rcnn(sys.argv[1], checkpoints(folder))
