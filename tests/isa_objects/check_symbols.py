# SPDX-License-Identifier: Apache-2.0
"""Fails when a per-ISA object defines a symbol that does not name its architecture.

usage: check_symbols.py NM OBJECT...
"""
import re
import subprocess
import sys

# An architecture tag of xsimd, our scalar one, or the enumerator that a table is instantiated for.
TAG = re.compile(r"xsimd::(sse|avx|fma|neon)\w*|bitpq::v1::(?:scalar|avx512vnni|narrow_x86)_arch|\(bitpq::v1::isa\)\d")
# What compilers emit for every object: the personality routine's reference, and sections' own names.
HARMLESS = re.compile(r"^(DW\.ref\.__gxx_personality_v0|\.L\w*|__odr_asan_gen_\w+|asan\.module_[cd]tor)$")


def untagged(nm_lines):
    """Names of defined external symbols without a tag, from the lines of `nm -C`."""
    found = []
    for line in nm_lines:
        match = re.match(r"^[0-9a-fA-F]+ ([A-Zuvw]) (.*)$", line)
        if match and match[1] != "U" and not TAG.search(match[2]) and not HARMLESS.match(match[2]):
            found.append(match[2])
    return found


def main(nm, objects):
    failures, defined = 0, 0
    for path in objects:
        lines = subprocess.run([nm, "-C", path], check=True, capture_output=True, text=True).stdout.splitlines()
        tagged = sum(1 for line in lines if TAG.search(line))
        defined += tagged
        for name in untagged(lines):
            print(f"{path}: {name}")
            failures += 1
        print(f"{path}: {tagged} symbols name their architecture")
        if tagged == 0:
            print(f"{path}: no kernels at all")
            failures += 1
    return 1 if failures or not defined else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
