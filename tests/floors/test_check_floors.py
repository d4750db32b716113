#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time in a small tree and requires the checker to name it, and nothing else."""

import pathlib
import tempfile
import unittest

import check_floors

HEAD = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n"

CLEAN = {
    "version.hpp": "",
    "pq.hpp": "#include <bitpq/inference.hpp>\n#include <bitpq/quantize/q.hpp>\n",
    "inference.hpp": "#include <bitpq/gemm/g.hpp>\n",
    "core/a.hpp": "#include <vector>\n",
    "core/config.hpp": "#define BITPQ_X 1\n",
    "codec/b.hpp": "#include <bitpq/core/a.hpp>\n",
    "kernel/k.hpp": "#include <bitpq/kernel/detail/d.hpp>\n",
    "kernel/simd.hpp": "#include <xsimd/xsimd.hpp>\n",
    "kernel/detail/d.hpp": "#include <bitpq/codec/b.hpp>\n",
    "quantize/q.hpp": "#include <bitpq/kernel/k.hpp>\n#include <bitpq/version.hpp>\n",
    "quantize/solve.hpp": "#include <Eigen/Dense>\n",
    "gemm/g.hpp": "#include <bitpq/kernel/k.hpp>\n// #include <bitpq/io/i.hpp> would be wrong\n",
    "io/i.hpp": "#include <bitpq/codec/b.hpp>\n",
    "interop/openmp.hpp": "#include <bitpq/core/a.hpp>\n",
}


def run(changes, raw=()):
    """The checker's findings on the clean tree with some bodies replaced; `raw` files get no head."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in {**CLEAN, **changes}.items():
            path = pathlib.Path(folder, "bitpq", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body if name in raw else HEAD + body, "utf-8")
        return check_floors.violations(folder)[0]


class Floors(unittest.TestCase):
    def finds(self, changes, text, raw=()):
        found = run(changes, raw)
        self.assertEqual(len(found), 1, found)
        self.assertIn(text, found[0])

    def test_clean_tree_has_none(self):
        self.assertEqual(run({}), [])

    def test_upward(self):
        self.finds({"codec/b.hpp": "#include <bitpq/kernel/k.hpp>\n"}, "is above codec/")

    def test_upward_with_odd_spacing(self):
        self.finds({"codec/b.hpp": "  #  include<bitpq/kernel/k.hpp>\n"}, "is above codec/")

    def test_sibling(self):
        self.finds({"gemm/g.hpp": "#include <bitpq/quantize/q.hpp>\n"}, "siblings")

    def test_someone_elses_detail(self):
        self.finds({"gemm/g.hpp": "#include <bitpq/kernel/detail/d.hpp>\n"}, "private to kernel/")

    def test_leaf_is_included_by_nobody(self):
        self.finds({"quantize/q.hpp": "#include <bitpq/interop/openmp.hpp>\n"}, "is above quantize/")

    def test_front_door_keeps_to_its_floors(self):
        self.finds({"pq.hpp": "#include <bitpq/io/i.hpp>\n"}, "outside this front door")
        self.finds({"inference.hpp": "#include <bitpq/quantize/q.hpp>\n"}, "outside this front door")

    def test_front_door_is_not_included(self):
        self.finds({"io/i.hpp": "#include <bitpq/pq.hpp>\n"}, "front door")

    def test_smaller_front_door_includes_no_larger_one(self):
        self.finds({"pq.hpp": "", "inference.hpp": "#include <bitpq/pq.hpp>\n"}, "front door")

    def test_macros_have_one_home(self):
        self.finds({"codec/b.hpp": "  # define BITPQ_Y\n"}, "macros live in")

    def test_xsimd_has_one_home(self):
        self.finds({"gemm/g.hpp": "#include <xsimd/xsimd.hpp>\n"}, "only kernel/simd.hpp")

    def test_inference_reaches_eigen(self):
        self.finds({"kernel/detail/d.hpp": "#include <Eigen/Core>\n"}, "reaches <Eigen/Core>")

    def test_version_stands_below_all(self):
        self.finds({"version.hpp": "#include <bitpq/core/a.hpp>\n"}, "below every floor")

    def test_unknown_folder(self):
        self.finds({"misc/m.hpp": ""}, "stands on no floor")

    def test_unknown_top_header(self):
        self.finds({"all.hpp": ""}, "stands on no floor")

    def test_missing_header(self):
        self.finds({"io/i.hpp": "#include <bitpq/codec/gone.hpp>\n"}, "does not exist")

    def test_quotes(self):
        self.finds({"io/i.hpp": '#include "other.hpp"\n'}, "in quotes")

    def test_long_file(self):
        self.finds({"core/a.hpp": "int x;\n" * 499}, "501 lines")

    def test_heads(self):
        self.finds({"core/a.hpp": "#pragma once\n"}, "SPDX", raw=["core/a.hpp"])
        self.finds({"core/a.hpp": check_floors.SPDX + "\n"}, "#pragma once", raw=["core/a.hpp"])

    def test_foreign_file(self):
        self.finds({"core/a.txt": ""}, "not a .hpp file")


if __name__ == "__main__":
    unittest.main()
