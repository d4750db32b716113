#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the rules in rules/ and of docs/models.md, on checkpoints with the tensors of torchvision's networks.

    test_models.py sizes PROGRAM DOCS       the tables, and the rules on networks of an eighth of the channels
    test_models.py torchvision PROGRAM      torchvision's own Mask R-CNN compressed, decompressed, loaded and run; exit
                                            status 77 where there is no torchvision
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import architectures
import models_table
from bitpq_torch import load_tensors, read_safetensors, save_tensors
from models_table import MASK_RCNN, RESNETS, RULES, sizes

PUBLISHED = {"resnet18-small": 1.541, "resnet18-large": 1.029, "resnet50-small": 5.091, "resnet50-large": 3.184}
LEFT = {MASK_RCNN: {"backbone.body.conv1.weight", "rpn.head.cls_logits.weight", "rpn.head.bbox_pred.weight"}}
NARROW = 8  # channels in the place of 64
PROGRAM = os.path.abspath(sys.argv[2])


def run(*words):
    return subprocess.run([PROGRAM, *words], check=True, capture_output=True, text=True)


class models(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.files = models_table.checkpoints(folder.name)

    def test_sizes_are_the_papers(self):
        for network, blocks in RESNETS:
            name = f"{network}-{blocks}"
            folded, whole = self.files.path(network, True), self.files.path(network, False)
            paper, file = sizes(PROGRAM, folded, name, "--notes", "no")
            self.assertEqual(round(paper / 2**20, 3), PUBLISHED[name])
            self.assertEqual(sizes(PROGRAM, whole, name)[0], paper)
            self.assertLessEqual(file, 1.01 * paper, name)
            self.assertLess(sizes(PROGRAM, folded, name, "--rest", "F16")[1], paper, name)
            self.assertLessEqual(sizes(PROGRAM, whole, name, "--rest", "F16")[1], 1.01 * paper, name)

    def test_mask_rcnn_is_26_times_smaller(self):
        dense = self.files.path(MASK_RCNN, False)
        file = sizes(PROGRAM, dense, "maskrcnn-resnet50-fpn")[1]
        self.assertLessEqual(file, 6.65 * 2**20)
        self.assertGreaterEqual(dense.stat().st_size / file, 26)

    def test_the_page_shows_the_tables(self):
        words = [sys.executable, models_table.__file__, PROGRAM]
        tables = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        page = pathlib.Path(sys.argv[3]).read_text()
        for table in tables.strip().split("\n\n"):
            self.assertIn(table, page)

    def test_narrow_networks_there_and_back(self):
        rules = [(network, f"{network}-{blocks}") for network, blocks in RESNETS] + [(MASK_RCNN, "maskrcnn-resnet50-fpn")]
        dense, small, back = (self.folder / name for name in ("dense", "small", "back"))
        for network, name in rules:
            tensors = architectures.tensors_of(network, NARROW)
            architectures.write_checkpoint(dense, tensors)
            words = (dense, "--rules", RULES / (name + ".json"), "--preset", "fast", "--rest", "F16")
            foreseen = sizes(PROGRAM, dense, name, "--preset", "fast", "--rest", "F16")[1]
            done = run("compress", *words, "-o", small)
            self.assertNotIn("is the first for no weight", done.stderr, name)
            self.assertLessEqual(small.stat().st_size, foreseen)
            self.assertGreater(small.stat().st_size, foreseen - 16 * len(tensors))
            run("decompress", small, "-o", back)
            before, after = read_safetensors(dense)[0], read_safetensors(back)[0]
            self.assertEqual({n: t[:2] for n, t in after.items()}, {n: t[:2] for n, t in before.items()})
            stored = read_safetensors(small)[0]
            left = {n for n, t in before.items() if len(t[1]) > 1 and n + ".codes" not in stored}
            self.assertEqual(left, LEFT.get(network, {"conv1.weight"}))


def test_torchvision():
    import torch
    import torchvision

    torch.manual_seed(1)
    torch.set_num_threads(1)
    # Of a network that has learnt nothing, boxes of any score: their masks are computed too.
    none = {"weights": None, "weights_backbone": None, "box_score_thresh": 0.0}
    model = torchvision.models.detection.maskrcnn_resnet50_fpn(**none).eval()
    shapes = {n: list(t.shape) for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert shapes == {n: shape for n, (_, shape) in architectures.tensors_of(MASK_RCNN).items()}
    save_tensors("dense.safetensors", model.state_dict())
    rules = RULES / "maskrcnn-resnet50-fpn.json"
    print(run("compress", "dense.safetensors", "-o", "small.safetensors", "--rules", rules).stdout, end="")
    print(run("info", "small.safetensors").stdout.splitlines()[-4])
    assert os.path.getsize("small.safetensors") <= 6.65 * 2**20
    run("decompress", "small.safetensors", "-o", "back.safetensors")
    model.load_state_dict(load_tensors("back.safetensors"))
    with torch.no_grad():
        (found,) = model([torch.rand(3, 200, 300)])
    assert set(found) == {"boxes", "labels", "scores", "masks"}
    assert all(torch.isfinite(t).all() for t in found.values())
    print(f"torchvision's Mask R-CNN runs on what came back: {len(found['scores'])} boxes")


if __name__ == "__main__":
    if sys.argv[1] == "sizes":
        unittest.main(argv=sys.argv[:1], verbosity=2)
    try:
        import torchvision  # noqa: F401
    except ImportError as why:
        print(f"skipped: {why} (Debian: python3-torchvision)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        test_torchvision()
        os.chdir("/")
