#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the shape of include/bitpq/: the floors, the private folders, the front doors and the file heads.

    check_floors.py INCLUDE_DIR     prints one line per violation; exit status 1 if there is any

The rules are those of docs/architecture.md: a header includes its own folder and lower floors, never a sibling or a
higher floor; a detail/ folder is private to the folder that holds it; interop/ is a leaf that nobody includes; the
front doors stay within their floors, and whatever inference.hpp reaches is free of Eigen; macros and xsimd have one
home each.
"""

import pathlib
import re
import sys

FLOORS = {
    "core": 0,
    "codec": 1,
    "kernel": 2,
    "cluster": 3,
    "quantize": 4,
    "gemm": 4,
    "io": 4,
    "train": 5,
    "interop": 6,
}

# A front door holds no code of its own; it opens on these folders.
FRONT_DOORS = {
    "pq.hpp": {"core", "codec", "kernel", "cluster", "quantize", "gemm"},
    "inference.hpp": {"core", "codec", "kernel", "gemm"},
}

# Headers at the top that are no front door belong to floor 0.
GROUND = {"version.hpp"}

EIGEN_FREE = {"inference.hpp"}
MACRO_HOME = "core/config.hpp"
XSIMD_HOME = "kernel/simd.hpp"
MAX_LINES = 500
SPDX = "// SPDX-License-Identifier: Apache-2.0"

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define\b", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def includes_of(text):
    """The included names, in order; those inside comments do not count."""
    uncommented = COMMENT.sub("", text)
    return [angled or quoted for angled, quoted in INCLUDE.findall(uncommented)], [
        quoted for _, quoted in INCLUDE.findall(uncommented) if quoted
    ]


def folder_of(name):
    """'gemm' for 'gemm/detail/tile.hpp', '' for 'pq.hpp'."""
    return name.split("/")[0] if "/" in name else ""


def may_include(source, target):
    """None if header `source` may include header `target` (both relative to include/bitpq), else the reason."""
    own, other = folder_of(source), folder_of(target)
    parts = target.split("/")
    if "detail" in parts[:-1]:
        home = "/".join(parts[: parts.index("detail")])
        if not source.startswith(home + "/"):
            return f"detail/ is private to {home}/"
    if other == "":
        if target in GROUND:
            return None
        if source in FRONT_DOORS and FRONT_DOORS[target] < FRONT_DOORS[source]:
            return None  # the larger door opens on all that the smaller one does
        return "a front door is included by users, not by headers"
    if other not in FLOORS:
        return f"folder {other}/ stands on no floor"
    if own == "":
        if source in GROUND:
            return "it stands below every floor"
        if other in FRONT_DOORS[source]:
            return None
        return f"{other}/ is outside this front door"
    if own == other:
        return None
    if FLOORS[other] == FLOORS[own]:
        return f"{own}/ and {other}/ are siblings on floor {FLOORS[own]}"
    if FLOORS[other] > FLOORS[own]:
        return f"{other}/ (floor {FLOORS[other]}) is above {own}/ (floor {FLOORS[own]})"
    return None


def check_head(name, text):
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines, more than {MAX_LINES}"
    if SPDX not in lines[:3]:
        yield f"{name}: no '{SPDX}' in its first lines"
    if "#pragma once" not in lines:
        yield f"{name}: no #pragma once"
    if name != MACRO_HOME and DEFINE.search(COMMENT.sub("", text)):
        yield f"{name}: defines a macro; macros live in {MACRO_HOME}"


def check_includes(name, text, names):
    own = folder_of(name)
    if (own and own not in FLOORS) or (not own and name not in FRONT_DOORS and name not in GROUND):
        yield f"{name}: stands on no floor; say in check_floors.py where it belongs"
        return
    included, quoted = includes_of(text)
    for path in quoted:
        yield f'{name}: includes "{path}" in quotes; write <bitpq/...>'
    for path in included:
        if path.startswith("xsimd/") and name != XSIMD_HOME:
            yield f"{name}: includes <{path}>; only {XSIMD_HOME} may"
        if not path.startswith("bitpq/"):
            continue
        target = path[len("bitpq/"):]
        if target not in names:
            yield f"{name}: includes <{path}>, which does not exist"
            continue
        reason = may_include(name, target)
        if reason:
            yield f"{name}: includes <{path}>: {reason}"


def check_eigen_free(door, texts):
    """Walks all that `door` reaches; names the chain to the first Eigen include."""
    stack, seen = [(door, [door])], {door}
    while stack:
        name, chain = stack.pop()
        for path in includes_of(texts[name])[0]:
            if path.startswith(("Eigen/", "unsupported/Eigen/")):
                yield f"{door}: reaches <{path}> by {' -> '.join(chain)}"
            target = path[len("bitpq/"):] if path.startswith("bitpq/") else None
            if target in texts and target not in seen:
                seen.add(target)
                stack.append((target, chain + [target]))


def violations(include_dir):
    root = pathlib.Path(include_dir) / "bitpq"
    texts = {str(p.relative_to(root).as_posix()): p.read_text("utf-8") for p in sorted(root.rglob("*.hpp"))}
    found = []
    if not texts:
        found.append(f"no headers under {root}")
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".hpp":
            found.append(f"{path.relative_to(root).as_posix()}: not a .hpp file")
    for name, text in texts.items():
        found.extend(check_head(name, text))
        found.extend(check_includes(name, text, texts))
    for door in EIGEN_FREE & texts.keys():
        found.extend(check_eigen_free(door, texts))
    return found, len(texts)


def main():
    found, count = violations(sys.argv[1])
    for line in found:
        print(line)
    print(f"{count} headers, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
