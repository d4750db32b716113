#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the programs classify and classify_dense on a ResNet-18 with random codes and images that it makes itself.

    test_classify.py CLASSIFY [CLASSIFY_DENSE]
"""
import os
import pathlib
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from bitpq_torch import write_safetensors  # noqa: E402

CLASSIFY = sys.argv[1]
DENSE = sys.argv[2] if len(sys.argv) > 2 else None
CLASSES = 10
DRAW = random.Random(1)


def run(*arguments, program=CLASSIFY):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def answers(*arguments, program=CLASSIFY):
    """What the program prints: {file: [(per cent, class, name)]}."""
    done = run(*arguments, program=program)
    assert done.returncode == 0, done.stderr
    found, file = {}, None
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            file = found.setdefault(line, [])
            continue
        share, number, name = re.fullmatch(r" +([0-9.]+) % +([0-9]+)  (.*)", line).groups()
        file.append((float(share), int(number), name))
    return found


def refused(words, *arguments):
    done = run(*arguments)
    assert done.returncode == 1 and words in done.stderr, (words, done.returncode, done.stderr)


# ---- a network ------------------------------------------------------------------------------------------------------


def halves(count, scale):
    return struct.pack(f"<{count}e", *(DRAW.gauss(0, scale) for _ in range(count)))


def resnet18():
    """Metadata and tensors: random codes, batch norms with their statistics folded in."""
    metadata, tensors = {"bitpq.format": "1"}, {}

    def norm(name, channels):
        tensors[name + ".weight"] = ("F16", [channels], struct.pack("<e", 1.0) * channels)
        tensors[name + ".bias"] = ("F16", [channels], halves(channels, 0.1))

    def coded(name, kind, rows, columns, block, gain=1.0):
        metadata[f"bitpq.layer.{name}.weight"] = f"{kind} block={block} codewords=256 code_bits=8"
        count = rows * columns // block
        tensors[name + ".weight.codes"] = ("U8", [count], DRAW.randbytes(count))
        words = halves(256 * block, gain * (2 / columns) ** 0.5)
        tensors[name + ".weight.codebook"] = ("F16", [1, 256, block], words)

    def conv(name, out, channels, kernel, stride):
        text = f"kernel={kernel}x{kernel} stride={stride}x{stride} padding={kernel // 2}x{kernel // 2}"
        text = f"conv2d out={out} in={channels} {text} dilation=1x1 groups=1"
        coded(name, text, out, channels * kernel * kernel, 9 if kernel == 3 else 4)

    tensors["conv1.weight"] = ("F16", [64, 3, 7, 7], halves(64 * 147, (2 / 147) ** 0.5))
    norm("bn1", 64)
    channels = 64
    for stage in range(1, 5):
        out = 32 << stage
        for block in range(2):
            name, stride = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
            conv(name + "conv1", out, channels, 3, stride)
            conv(name + "conv2", out, out, 3, 1)
            norm(name + "bn1", out)
            norm(name + "bn2", out)
            if stride == 2:
                conv(name + "downsample.0", out, channels, 1, 2)
                norm(name + "downsample.1", out)
            channels = out
    coded("fc", f"linear out={CLASSES} in=512", CLASSES, 512, 4, 0.05)
    tensors["fc.bias"] = ("F32", [CLASSES], struct.pack(f"<{CLASSES}f", *(DRAW.gauss(0, 1) for _ in range(CLASSES))))
    return metadata, tensors


# ---- images ---------------------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path, width, height, rows=None):
    """A PNG of 8 bits and three channels; random blocks of 16 x 16 pixels unless rows are given."""
    if rows is None:
        colours = [[DRAW.randbytes(3) for _ in range(width // 16 + 1)] for _ in range(height // 16 + 1)]
        rows = [b"".join(colours[y // 16][x // 16] for x in range(width)) for y in range(height)]
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


# ---- tests ----------------------------------------------------------------------------------------------------------


def test_answers(folder):
    """Five classes an image, the likeliest first; the same whatever the threads and the instruction set."""
    found = answers("model.safetensors", "a.png", "wide.png", "--classes", "classes.txt")
    assert list(found) == ["a.png", "wide.png"]
    for best in found.values():
        assert len(best) == 5 and all(a[0] >= b[0] for a, b in zip(best, best[1:]))
        assert all(name == f"class {number}" for _, number, name in best)
    one = answers("model.safetensors", "a.png", "wide.png", "--threads", 1)
    assert [[b[:2] for b in best] for best in one.values()] == [[b[:2] for b in best] for best in found.values()]
    forced = answers("model.safetensors", "a.png", "--isa", "scalar" if os.uname().machine != "x86_64" else "sse2")
    for (share, number, _), (want, same, _) in zip(forced["a.png"], found["a.png"]):
        assert number == same and abs(share - want) < 0.05
    assert answers("model.safetensors", "grey.png")["grey.png"]
    inside = answers("model.safetensors", folder / "images")
    assert sorted(inside) == [str(folder / "images" / name) for name in ("a.png", "b.png")]
    assert inside[str(folder / "images" / "a.png")] == answers("model.safetensors", "a.png")["a.png"]


def test_dense():
    """oneDNN's dense network says the same."""
    codes = answers("model.safetensors", "a.png", "b.png", "wide.png")
    dense = answers("model.safetensors", "a.png", "b.png", "wide.png", program=DENSE)
    for file, best in codes.items():
        for (share, number, _), (want, same, _) in zip(best, dense[file]):
            assert number == same and abs(share - want) < 0.05, (file, best, dense[file])


def test_int8():
    exact = answers("model.safetensors", "a.png")["a.png"]
    rounded = answers("model.safetensors", "a.png", "--precision", "int8")["a.png"]
    assert exact[0][1] in [number for _, number, _ in rounded[:2]]


def test_labels():
    first = {file: best for file, best in answers("model.safetensors", "a.png", "b.png").items()}
    right, second = first["a.png"][0][1], first["b.png"][1][1]
    pathlib.Path("labels.csv").write_text(f"file,label,other_top5\na.png,{right},{right} 1 2\nb.png,{second},{second} 3\n")
    done = run("model.safetensors", "--labels", "labels.csv", "--agree", "other_top5")
    assert "2 images: top-1 1 (50.00 %), top-5 2 (100.00 %)" in done.stdout, done.stdout + done.stderr
    assert "the same first answer as other_top5: 1 (50.00 %)" in done.stdout
    assert "classifying: 100 %" in done.stderr
    refused("labels.csv has no column top6", "model.safetensors", "--labels", "labels.csv", "--agree", "top6")
    pathlib.Path("bad.csv").write_text("file,label\na.png,one\n")
    refused("bad.csv, line 2: 'one' is no class", "model.safetensors", "--labels", "bad.csv")
    pathlib.Path("bad.csv").write_text("file,label\na.png,77\n")
    refused("a.png: class 77 of 10", "model.safetensors", "--labels", "bad.csv")


def test_plan_and_memory():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = run("model.safetensors", "a.png", "--plan", "--threads", 1)
    assert re.search(r"layer1\.0\.conv1 +(winograd4?|decode|lut) +[0-9.]+ ms", done.stdout), done.stdout
    assert re.search(r"^all +[0-9.]+ ms", done.stdout, re.MULTILINE)
    assert re.search(r"ResNet-18: file 1\.\d\d MB, weights in memory \d\.\d\d MB, activations \d\.\d\d MB", done.stderr)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert before > most * 0.99 or most < 40_000, f"{most} KB"


def test_bad_images(folder):
    whole = pathlib.Path("a.png").read_bytes()
    pathlib.Path("cut.png").write_bytes(whole[: len(whole) // 2])
    pathlib.Path("text.jpg").write_text("no image at all")
    pathlib.Path("empty.png").write_bytes(b"")
    pathlib.Path("cut.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(100))
    for name in ("cut.png", "text.jpg", "empty.png", "cut.jpg", "none.png"):
        refused(name, "model.safetensors", name)
    for side, words in ((20000, "huge.png: Image too large"), (12000, "huge.png: an image of 12000 x 12000 pixels")):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        pathlib.Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
        refused(words, "model.safetensors", "huge.png")
    # The same as a JPEG: a frame of 20000 x 20000 pixels in three components, a scan, and the end.
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 20000, 20000, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    pathlib.Path("huge.jpg").write_bytes(b"\xff\xd8" + frame + b"\xff\xda\xff\xd9")
    refused("huge.jpg: an image of 20000 x 20000 pixels", "model.safetensors", "huge.jpg")
    (folder / "none").mkdir()
    refused("no images in", "model.safetensors", folder / "none")
    # One pixel, and one row, are images: all 224 x 224 pixels are of one colour, or of one row.
    png(pathlib.Path("one.png"), 1, 1, [b"\x10\x80\xf0"])
    png(pathlib.Path("same.png"), 224, 224, [b"\x10\x80\xf0" * 224] * 224)
    one = answers("model.safetensors", "one.png", "same.png")
    assert [b[1] for b in one["one.png"]] == [b[1] for b in one["same.png"]]
    png(pathlib.Path("row.png"), 3000, 1, [DRAW.randbytes(9000)])
    assert len(answers("model.safetensors", "row.png")["row.png"]) == 5


def test_bad_models(metadata, tensors):
    def without(missing):
        write_safetensors("other.safetensors", {n: t for n, t in tensors.items() if missing not in n},
                          {k: v for k, v in metadata.items() if missing not in k})

    without("layer3.1.conv2")
    refused("nearest is ResNet-18, whose layer layer3.1.conv2 is missing", "other.safetensors", "a.png")
    without("layer2.1.bn1.weight")
    refused("layer2.1.conv1.bias", "other.safetensors", "a.png")
    write_safetensors("other.safetensors", {"blocks.0.weight": ("F32", [2, 2], bytes(16))})
    refused("whose layer conv1 is missing", "other.safetensors", "a.png")
    more = dict(tensors) | {"layer5.0.conv1.weight": ("F32", [1, 1], bytes(4))}
    write_safetensors("other.safetensors", more, metadata)
    refused("which has no layer layer5.0.conv1", "other.safetensors", "a.png")
    wide = dict(metadata) | {"bitpq.layer.fc.weight": metadata["bitpq.layer.fc.weight"].replace("in=512", "in=256")}
    short = dict(tensors) | {"fc.weight.codes": ("U8", [CLASSES * 64], bytes(CLASSES * 64))}
    write_safetensors("other.safetensors", short, wide)
    refused("layer fc has 10 x 256 weights, expected 10 x 512", "other.safetensors", "a.png")
    refused("a.png: ", "a.png", "a.png")
    refused("none.safetensors", "none.safetensors", "a.png")


def test_bad_options():
    refused("unknown option --fast", "model.safetensors", "a.png", "--fast")
    refused("--threads 0 is not a whole number", "model.safetensors", "a.png", "--threads", 0)
    refused("--resize 100 is not a whole number from 224", "model.safetensors", "a.png", "--resize", 100)
    refused("--isa mmx is none of", "model.safetensors", "a.png", "--isa", "mmx")
    refused("a model and an image are needed", "model.safetensors")
    pathlib.Path("few.txt").write_text("one\ntwo\n")
    refused("few.txt names 2 classes, the network has 10", "model.safetensors", "a.png", "--classes", "few.txt")
    assert run("--help").stdout.startswith("usage: classify")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chdir(folder)
        metadata, tensors = resnet18()
        write_safetensors("model.safetensors", tensors, metadata)
        png(folder / "a.png", 224, 224)
        png(folder / "b.png", 224, 224)
        png(folder / "wide.png", 400, 300)
        png(folder / "grey.png", 230, 500, [bytes([y // 2 % 256]) * 690 for y in range(500)])
        (folder / "images").mkdir()
        for image in ("a.png", "b.png"):
            (folder / "images" / image).write_bytes((folder / image).read_bytes())
        (folder / "classes.txt").write_text("".join(f"class {i}\n" for i in range(CLASSES)))
        test_answers(folder)
        if DENSE:
            test_dense()
        test_int8()
        test_labels()
        test_plan_and_memory()
        test_bad_images(folder)
        test_bad_models(metadata, tensors)
        test_bad_options()


if __name__ == "__main__":
    main()
