#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the program bitpq on checkpoints that they make themselves.

    test_cli.py PROGRAM DECODE_BY_HAND
"""
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import checkpoints
from checkpoints import METADATA, gram, pack, small_network, tensor, unpack
from bitpq_torch import read_safetensors, write_safetensors

PROGRAM, DECODE_BY_HAND = sys.argv[1:3]
WEIGHTS = ["conv1.weight", "fc.weight", "layer1.conv.weight", "layer2.conv.weight", "layer3.dw.weight"]


class case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.chdir(self.folder.name)
        self.addCleanup(os.chdir, "/")

    def run_program(self, *words):
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True)

    def works(self, *words):
        """Runs and returns the standard output."""
        done = self.run_program(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, words, text, code=1):
        """Fails with exactly that error, and leaves no file that was not there."""
        before = sorted(os.listdir())
        done = self.run_program(*words)
        self.assertEqual(done.stderr.splitlines()[-1], "bitpq: " + text)
        self.assertEqual(done.returncode, code)
        self.assertEqual(sorted(os.listdir()), before)

    def write_small_network(self):
        write_safetensors("m.safetensors", small_network(), METADATA)

    def write_statistics(self, **changes):
        stats = {
            "conv1.gram": gram(1, 27, 1),
            "layer2.conv.gram": gram(1, 32, 2),
            "layer3.dw.gram": gram(4, 72, 3),
            "fc.weight.gram": gram(1, 64, 4),
        }
        stats.update(changes)
        write_safetensors("g.safetensors", {k: v for k, v in stats.items() if v})
        return stats

    def layer_record(self, path, name):
        record = read_safetensors(path)[1]["bitpq.layer." + name]
        return dict(field.split("=") for field in record.split(" ")[1:])


class round_trips(case):
    def test_compressed_and_back(self):
        self.write_small_network()
        out = self.works("compress", "m.safetensors", "-o", "c.safetensors")
        self.assertRegex(
            out, r"^c.safetensors: \d+ bytes, \d+\.\d times smaller than m.safetensors; 5 weights compressed, 5 tensors"
        )
        self.works("decompress", "c.safetensors", "-o", "d.safetensors")
        before, after = small_network(), read_safetensors("d.safetensors")
        self.assertEqual(after[1], METADATA)
        self.assertEqual(sorted(after[0]), sorted(before))
        for name, (dtype, shape, data) in before.items():
            self.assertEqual(after[0][name][:2], (dtype, shape), name)
            if name not in WEIGHTS:
                self.assertEqual(after[0][name][2], data, name)
                continue
            old, new = unpack(dtype, data), unpack(dtype, after[0][name][2])
            error = sum((a - b) ** 2 for a, b in zip(old, new)) / sum(a * a for a in old)
            self.assertLess(error, 0.6, name)
            self.assertGreater(error, 0, name)

    def test_what_comes_back_is_what_the_format_says(self):
        self.write_small_network()
        self.works("compress", "m.safetensors", "-o", "c.safetensors")
        self.works("decompress", "c.safetensors", "-o", "d.safetensors", "--dtype", "F32")
        for name in WEIGHTS:
            subprocess.run([sys.executable, DECODE_BY_HAND, "c.safetensors", name, "w"], check=True)
            dtype, _, data = read_safetensors("d.safetensors")[0][name]
            self.assertEqual(dtype, "F32")
            self.assertEqual(pathlib.Path("w").read_bytes(), data, name)

    def test_the_same_bytes_each_time(self):
        self.write_small_network()
        self.write_statistics()
        for out, threads in (("1", "1"), ("2", "2")):
            self.works("compress", "m.safetensors", "-o", out, "--gram", "g.safetensors", "--threads", threads)
        self.assertEqual(pathlib.Path("1").read_bytes(), pathlib.Path("2").read_bytes())

    def test_shards(self):
        whole = small_network()
        write_safetensors("m.safetensors", whole, METADATA)
        names = sorted(whole)
        shards = {"a-1.safetensors": names[:4], "a-2.safetensors": names[4:]}
        for shard, inside in shards.items():
            write_safetensors(shard, {n: whole[n] for n in inside}, METADATA)
        index = {"metadata": {}, "weight_map": {n: s for s, inside in shards.items() for n in inside}}
        pathlib.Path("m.safetensors.index.json").write_text(json.dumps(index))
        self.works("compress", "m.safetensors", "-o", "c1")
        self.works("compress", "m.safetensors.index.json", "-o", "c2")
        self.assertEqual(pathlib.Path("c1").read_bytes(), pathlib.Path("c2").read_bytes())
        bad = self.fails
        words = ["compress", "m.safetensors.index.json", "-o", "c3"]
        os.rename("a-2.safetensors", "elsewhere")
        bad(words, "m.safetensors.index.json: shard 'a-2.safetensors' is missing")
        write_safetensors("a-2.safetensors", {n: whole[n] for n in names[5:]})
        bad(words, f"m.safetensors.index.json: shard 'a-2.safetensors' has no tensor '{names[4]}'")
        write_safetensors("a-2.safetensors", {n: whole[n] for n in names[3:]})
        bad(words, f"m.safetensors.index.json: tensor '{names[3]}' is in two shards")
        index["weight_map"][names[0]] = "../a-1.safetensors"
        pathlib.Path("m.safetensors.index.json").write_text(json.dumps(index))
        bad(words, "m.safetensors.index.json: shard '../a-1.safetensors' is no file beside the index")
        pathlib.Path("m.safetensors.index.json").write_text("{}")
        bad(words, 'm.safetensors.index.json: no index of a sharded checkpoint: it has no object "weight_map"')


class statistics(case):
    def test_statistics_lower_the_output_error(self):
        self.write_small_network()
        stats = self.write_statistics()
        plain = self.run_program("compress", "m.safetensors", "-o", "plain")
        self.assertIn(
            "bitpq: no statistics of the inputs of 5 of 5 weights: plain k-means on those, which loses more (see --gram)",
            plain.stderr,
        )
        best = self.run_program("compress", "m.safetensors", "-o", "best", "--gram", "g.safetensors")
        self.assertIn("no statistics of the inputs of 1 of 5 weights", best.stderr)
        moments = unpack("F64", stats["layer2.conv.gram"][2])
        dtype, _, data = small_network()["layer2.conv.weight"]
        errors = {}
        for name in ("plain", "best"):
            self.works("decompress", name, "-o", "d", "--dtype", "F32")
            back = unpack("F32", read_safetensors("d")[0]["layer2.conv.weight"][2])
            errors[name] = checkpoints.output_error(unpack(dtype, data), back, moments, 32)
        self.assertLess(errors["best"], 0.7 * errors["plain"])
        note = read_safetensors("best")[1]["compressed.layer2.conv.weight"]
        recorded = float(re.search(r"output_error=(\S+)", note).group(1))
        self.assertAlmostEqual(recorded / errors["best"], 1, 4)
        table = self.works("info", "best").splitlines()
        row = next(line for line in table if line.startswith("layer2.conv.weight"))
        self.assertEqual(float(row.split()[-1]), float(f"{recorded:.4g}"))
        self.assertEqual(self.layer_record("best", "layer3.dw.weight")["groups"], "4")

    def test_statistics_in_single_precision_do(self):
        self.write_small_network()
        dtype, shape, data = gram(1, 27, 1)
        self.write_statistics(**{"conv1.gram": ("F32", shape, pack("F32", unpack(dtype, data)))})
        self.works("compress", "m.safetensors", "-o", "c", "--gram", "g.safetensors")

    def test_bad_statistics(self):
        self.write_small_network()
        words = ["compress", "m.safetensors", "-o", "c", "--gram", "g.safetensors"]
        self.write_statistics(**{"fc.weight.gram": gram(1, 5, 1)})
        self.fails(
            words,
            "g.safetensors: tensor 'fc.weight.gram' has shape [1, 5, 5], but weight 'fc.weight' of shape [40, 64] "
            "needs [1, 64, 64]",
        )
        self.write_statistics(**{"layer3.dw.gram": gram(3, 72, 1)})
        self.fails(
            words,
            "g.safetensors: tensor 'layer3.dw.gram' has shape [3, 72, 72], but weight 'layer3.dw.weight' of shape "
            "[32, 8, 3, 3] needs [groups, 72, 72]",
        )
        values = unpack("F64", gram(1, 27, 1)[2])
        wrong = list(values)
        wrong[27] = 0.0
        self.write_statistics(**{"conv1.gram": ("F64", [1, 27, 27], pack("F64", wrong))})
        self.fails(
            words,
            "g.safetensors: tensor 'conv1.gram': second moments are not symmetric: "
            f"0 at (1, 0), {values[1]:.6g} at (0, 1)",
        )
        wrong[27] = float("nan")
        self.write_statistics(**{"conv1.gram": ("F64", [1, 27, 27], pack("F64", wrong))})
        self.fails(words, "g.safetensors: tensor 'conv1.gram': second moments holds nan at (1, 0)")

    def test_statistics_of_nothing_are_told(self):
        self.write_small_network()
        self.write_statistics(**{"nothing.gram": gram(1, 4, 1)})
        done = self.run_program("compress", "m.safetensors", "-o", "c", "--gram", "g.safetensors")
        self.assertIn("bitpq: statistics 'nothing.gram' are of no weight here", done.stderr)


class settings(case):
    def rules(self, rules):
        pathlib.Path("r.json").write_text(json.dumps(rules))

    def test_rules(self):
        self.write_small_network()
        self.rules(
            [
                {"match": "conv1.*", "skip": True},
                {"match": "layer?.conv.weight", "d": 4, "k": 32, "storage": "i8"},
                {"regex": "emb.*|fc\\.weight", "k": 16, "preset": "fast"},
                {"match": "layer1.*", "k": 64},
            ]
        )
        done = self.run_program("compress", "m.safetensors", "-o", "c", "--rules", "r.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("bitpq: rule 4 ('layer1.*') is the first for no weight", done.stderr)
        tensors, _ = read_safetensors("c")
        self.assertIn("conv1.weight", tensors)
        self.assertEqual(tensors["layer1.conv.weight.codebook"][:2], ("I8", [1, 32, 4]))
        self.assertEqual(tensors["layer2.conv.weight.codebook"][:2], ("I8", [1, 32, 4]))
        self.assertEqual(tensors["fc.weight.codebook"][:2], ("F16", [1, 16, 4]))
        self.assertEqual(tensors["embedding.codebook"][:2], ("F16", [1, 16, 4]))

    def test_bad_rules(self):
        self.write_small_network()
        words = ["compress", "m.safetensors", "-o", "c", "--rules", "r.json"]
        for rules, text in (
            ({}, "not a JSON array of rules"),
            ([3], "rule 1: not a JSON object"),
            ([{"match": "*"}, {"d": 4}], 'rule 2: neither "match" nor "regex" is given'),
            ([{"match": "*", "regex": ".*"}], 'rule 1: "match" and "regex" are both given'),
            ([{"match": ""}], 'rule 1: "match" is empty'),
            ([{"regex": "("}], "rule 1: '(' is no regular expression"),
            ([{"match": "*", "d": 0}], 'rule 1: "d" is 0, not a whole number in 1 .. 65536'),
            ([{"match": "*", "k": 2.5}], 'rule 1: "k" is 2.5, not a whole number in 1 .. 65536'),
            ([{"match": "*", "skip": 1}], 'rule 1: "skip" is neither true nor false'),
            ([{"match": "*", "storage": "i4"}], 'rule 1: no storage is called "i4"; there are f32, f16 and i8'),
            (
                [{"match": "*", "preset": "bset"}],
                'rule 1: no preset is called "bset"; there are paper, fast, best and quick-to-run',
            ),
            (
                [{"match": "*", "bits": 3}],
                'rule 1: no field is called "bits"; there are match, regex, skip, d, k, preset and storage',
            ),
        ):
            self.rules(rules)
            self.fails(words, "r.json: " + text)
        self.rules([{"match": "fc.weight", "d": 65}])
        self.fails(
            words, "tensor 'fc.weight': block size 65 is outside 1 .. 64, the columns of the weight matrix"
        )

    def test_budget(self):
        self.write_small_network()
        self.write_statistics()
        error = {}
        for budget in ("11kB", "14kB", "0.03MB", "1GiB"):
            self.works("compress", "m.safetensors", "-o", budget, "--gram", "g.safetensors", "--budget", budget)
            notes = [v for k, v in read_safetensors(budget)[1].items() if k.startswith("compressed.")]
            error[budget] = sum(float(re.search(r"weight_error=(\S+)", note).group(1)) for note in notes)
        self.assertLessEqual(os.path.getsize("11kB"), 11000)
        self.assertLessEqual(os.path.getsize("14kB"), 14000)
        self.assertLessEqual(os.path.getsize("0.03MB"), 30000)
        self.assertLess(error["14kB"], error["11kB"])
        self.assertLess(error["0.03MB"], error["14kB"])
        done = self.run_program("compress", "m.safetensors", "-o", "small", "--budget", "1kB")
        found = re.search(
            r"^bitpq: a budget of 1000 bytes is below (\d+), the smallest reachable size$", done.stderr, re.MULTILINE
        )
        self.assertTrue(found, done.stderr)
        self.assertFalse(os.path.exists("small"))
        self.works("compress", "m.safetensors", "-o", "small", "--budget", found.group(1))
        self.assertLessEqual(os.path.getsize("small"), int(found.group(1)))
        self.assertGreater(os.path.getsize("small"), 0.85 * int(found.group(1)))

    def test_time_budget(self):
        self.write_small_network()
        done = self.run_program("compress", "m.safetensors", "-o", "c", "--cycles", "1", "--columns", "64")
        found = re.search(
            r"^bitpq: a budget of time of 1 is below ([\d.e+]+), the least reachable$", done.stderr, re.MULTILINE
        )
        self.assertTrue(found, done.stderr)
        self.assertFalse(os.path.exists("c"))
        least = int(1.001 * float(found.group(1)))
        sizes = {}
        for times in (1, 1.5, 100):
            self.works("compress", "m.safetensors", "-o", "c", "--cycles", str(int(times * least)), "--columns", "64")
            sizes[times] = os.path.getsize("c")
        self.assertLess(sizes[1], sizes[100])  # small codebooks and long blocks are fast ones
        both = ["--cycles", str(int(1.5 * least)), "--columns", "64", "--budget", "16kB"]
        self.works("compress", "m.safetensors", "-o", "c", *both)
        self.assertLessEqual(os.path.getsize("c"), 16000)

    def test_budget_leaves_what_rules_fix(self):
        self.write_small_network()
        self.rules([{"match": "fc.weight", "d": 8, "k": 32}, {"match": "layer1.*", "d": 6}, {"match": "conv1*", "k": 20}])
        self.works("compress", "m.safetensors", "-o", "c", "--rules", "r.json", "--budget", "16 kB")
        fc, conv, first = (self.layer_record("c", n) for n in ("fc.weight", "layer1.conv.weight", "conv1.weight"))
        self.assertEqual((fc["block"], fc["codewords"]), ("8", "32"))
        self.assertEqual(conv["block"], "6")
        self.assertEqual(first["codewords"], "20")

    def test_weights_that_would_not_get_smaller_stay(self):
        write_safetensors("m.safetensors", {"w.weight": tensor("F16", [2, 4], 1), "v.weight": tensor("F32", [64, 64], 1)})
        self.rules([{"match": "w.*", "d": 4, "storage": "f32"}])
        done = self.run_program("compress", "m.safetensors", "-o", "c", "--rules", "r.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("bitpq: 'w.weight' stays as it is: 16 bytes, compressed 17\n", done.stderr)
        self.assertIn("1 layers: 4096 weights", self.works("info", "c"))

    def test_info(self):
        self.write_small_network()
        self.works("compress", "m.safetensors", "-o", "c")
        lines = self.works("info", "c").splitlines()
        self.assertEqual(
            lines[0].split(),
            "layer shape d K store bits/weight bytes weight error output error".split(),
        )
        row = next(line for line in lines if line.startswith("layer1.conv.weight"))
        self.assertRegex(row, r"^layer1\.conv\.weight  32 x 32, 3 x 3 +9 +128 +f16 +[\d.]+ +\d+ +0\.\d+ +-$")
        size = os.path.getsize("c")
        self.assertRegex(lines[-1], rf"^header: \d+ bytes; file: {size} bytes$")
        self.assertRegex(lines[-3], r"^5 layers: 16992 weights in \d+ bytes, \d\.\d{3} bits per weight$")


    def test_info_foresees_what_compress_writes(self):
        self.write_small_network()
        self.write_statistics()
        self.rules([{"match": "conv1.*", "skip": True}, {"match": "layer?.*", "d": 4, "storage": "i8"}])
        for settings in (["--preset", "fast"], ["--rules", "r.json", "--gram", "g.safetensors", "--rest", "F16"]):
            foreseen = self.works("info", "m.safetensors", *settings).splitlines()
            self.works("compress", "m.safetensors", "-o", "c", *settings)
            written = self.works("info", "c").splitlines()
            layers = len(written) - 5
            self.assertEqual(len(foreseen), len(written) + 1)
            for now, then in zip(foreseen[: layers + 1], written):
                self.assertEqual(now.split()[:-2], then.split()[:-2])
            most = int(re.search(r"; file: at most (\d+) bytes$", foreseen[-2]).group(1))
            self.assertLessEqual(os.path.getsize("c"), most)
            self.assertGreater(os.path.getsize("c"), most - 12 * layers - 8)
            self.assertRegex(foreseen[-1], r"^\d\.\d times smaller than m.safetensors, or more$")

    def test_the_papers_accounting(self):
        shapes = {"a.weight": [64, 32, 3, 3], "bn.weight": [64], "bn.bias": [64], "bn.running_mean": [64]}
        network = {name: tensor("F32", shape, 1) for name, shape in shapes.items()}
        network["bn.num_batches_tracked"] = ("I64", [], pack("I64", [7]))
        write_safetensors("m.safetensors", network)
        self.rules([{"match": "a.*", "d": 9, "k": 16, "storage": "f32"}])
        self.works("compress", "m.safetensors", "-o", "c", "--rules", "r.json")
        paper, file = 64 * 32 // 2 + 2 * 16 * 9 + 4 * 128, os.path.getsize("c")
        self.assertIn(
            f"as the paper counts: {paper} bytes, {paper / 2**20:.3f} MB; this file: {file} bytes, "
            f"{file / 2**20:.3f} MB, {100 * (file / paper - 1):+.2f} % (1 MB = 2^20 bytes)",
            self.works("info", "c").splitlines(),
        )

    def test_rest_in_half_precision(self):
        self.write_small_network()
        whole = small_network()
        for half in ("F16", "BF16"):
            self.works("compress", "m.safetensors", "-o", "c", "--rest", half)
            stored = read_safetensors("c")[0]
            for name in ("conv1.bias", "layer1.bn.running_mean", "embedding", "fc.bias"):
                dtype, shape, data = whole[name]
                self.assertEqual(stored[name][:2], (half, shape), name)
                if half == "F16":  # checkpoints.py cuts BF16 short, which is another rounding
                    self.assertEqual(stored[name][2], pack(half, unpack(dtype, data)), name)
            self.assertEqual(stored["layer1.bn.num_batches_tracked"], whole["layer1.bn.num_batches_tracked"])
            self.works("decompress", "c", "-o", "d")
            back, metadata = read_safetensors("d")
            self.assertEqual(metadata, METADATA)
            self.assertEqual({n: t[:2] for n, t in back.items()}, {n: t[:2] for n, t in whole.items()})
            old, new = (unpack("F64", network["fc.bias"][2]) for network in (whole, back))
            self.assertLess(max(abs(a - b) for a, b in zip(old, new)), {"F16": 2**-9, "BF16": 2**-6}[half])
        write_safetensors("m.safetensors", {**whole, "fc.bias": ("F32", [2], pack("F32", [1.0, 7e4]))})
        self.fails(
            ["compress", "m.safetensors", "-o", "e", "--rest", "F16"],
            "m.safetensors: tensor 'fc.bias': value 70000 at 1 is beyond the range of F16",
        )

    def test_no_notes(self):
        self.write_small_network()
        self.works("compress", "m.safetensors", "-o", "c", "--notes", "no", "--rest", "F16")
        tensors, metadata = read_safetensors("c")
        self.assertFalse([key for key in metadata if key.startswith("compressed.")])
        self.works("decompress", "c", "-o", "d")
        back = read_safetensors("d")[0]
        self.assertEqual(back["layer1.conv.weight"][0], "F32")
        self.assertEqual(back["fc.bias"], tensors["fc.bias"])

    def test_budget_with_a_narrow_rest(self):
        self.write_small_network()
        self.works("compress", "m.safetensors", "-o", "c", "--rest", "F16", "--budget", "12kB")
        self.assertLessEqual(os.path.getsize("c"), 12000)


class refusals(case):
    def test_files(self):
        pathlib.Path("text").write_text("no safetensors at all")
        length = struct.unpack("<Q", b"no safet")[0]
        refused = f"text: header length {length} exceeds the limit of 100000000"
        for words in (["compress", "text", "-o", "c"], ["decompress", "text", "-o", "c"], ["info", "text"]):
            self.fails(words, refused)
        self.fails(["compress", "nothing", "-o", "c"], "cannot open nothing: No such file or directory")
        self.write_small_network()
        self.fails(["info", "m.safetensors"], "m.safetensors: no compressed model: metadata has no 'bitpq.format'")
        self.works("compress", "m.safetensors", "-o", "c")
        self.fails(["compress", "c", "-o", "again"], "c: is compressed already")

    def test_weights_that_are_not_finite(self):
        values = checkpoints.gauss([64, 64], 1)
        values[64 + 2] = float("nan")
        write_safetensors("m.safetensors", {"a.weight": ("F32", [64, 64], pack("F32", values))})
        self.fails(["compress", "m.safetensors", "-o", "c"], "tensor 'a.weight': weights holds nan at (1, 2)")
        values[64 + 2] = 1e300
        write_safetensors("m.safetensors", {"a.weight": ("F64", [64, 64], pack("F64", values))})
        self.fails(
            ["compress", "m.safetensors", "-o", "c"],
            "tensor 'a.weight': F64 element 66 is 1e+300, beyond the range of float",
        )

    def test_command_lines(self):
        self.write_small_network()
        for words, text in (
            (["shrink"], 'no command is called "shrink"; there are compress, decompress and info'),
            (["compress", "m.safetensors"], "-o is missing: where to write"),
            (["compress", "-o", "c"], "one input file is needed, not 0"),
            (["info", "a", "b"], "one input file is needed, not 2"),
            (["compress", "m.safetensors", "-o"], "-o needs a value"),
            (["compress", "m.safetensors", "-o", "c", "-o", "d"], "-o is given twice"),
            (["compress", "m.safetensors", "--speed", "9"], "unknown option --speed"),
            (
                ["compress", "m.safetensors", "-o", "c", "--preset", "bset"],
                'no preset is called "bset"; there are paper, fast, best and quick-to-run',
            ),
            (
                ["compress", "m.safetensors", "-o", "c", "--budget", "5 apples"],
                '--budget: "5 apples" is no size; write it as 800000, 5MB or 1.5MiB',
            ),
            (
                ["compress", "m.safetensors", "-o", "c", "--budget", "-1"],
                '--budget: "-1" is no size; write it as 800000, 5MB or 1.5MiB',
            ),
            (["compress", "m.safetensors", "-o", "c", "--seed", "x"], f"--seed x is no whole number up to {2**64 - 1}"),
            (["compress", "m.safetensors", "-o", "c", "--rest", "F64"], "--rest F64 is none of F16, BF16 and F32"),
            (["compress", "m.safetensors", "-o", "c", "--notes", "none"], "--notes none is neither yes nor no"),
            (["info", "m.safetensors", "--budget", "1kB"], "unknown option --budget"),
            (["decompress", "c", "-o", "d", "--dtype", "I8"], "--dtype I8 is none of F16, BF16, F32 and F64"),
        ):
            self.fails(words, text)
        self.assertEqual(self.run_program().returncode, 2)
        self.assertTrue(self.works("--help").startswith("usage: bitpq compress CHECKPOINT -o FILE"))

    def test_output_that_cannot_be_written(self):
        self.write_small_network()
        os.mkdir("folder")
        self.fails(["compress", "m.safetensors", "-o", "folder"], "cannot replace folder: not a regular file")

    def test_interrupted(self):
        write_safetensors("m.safetensors", {f"{i}.weight": tensor("F32", [256, 512], i) for i in range(3)})
        pathlib.Path("r.json").write_text('[{"match": "*", "d": 1, "k": 4096, "preset": "paper", "storage": "i8"}]')
        pathlib.Path("old").write_text("the old content")
        for number in (signal.SIGINT, signal.SIGTERM):
            program = subprocess.Popen(
                [PROGRAM, "compress", "m.safetensors", "-o", "old", "--rules", "r.json"], stderr=subprocess.PIPE, text=True
            )
            while not program.stderr.readline().startswith("compressing:"):
                self.assertIsNone(program.poll())
            time.sleep(0.1)
            program.send_signal(number)
            words = program.stderr.read()
            self.assertEqual(program.wait(), 130)
            program.stderr.close()
            self.assertEqual(words.splitlines()[-1], "bitpq: interrupted; nothing was written")
            self.assertEqual(pathlib.Path("old").read_text(), "the old content")
            self.assertEqual(sorted(os.listdir()), ["m.safetensors", "old", "r.json"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
