# SPDX-License-Identifier: Apache-2.0
"""The gate finds planted violations and nothing else."""
import unittest

from check_symbols import untagged


class Untagged(unittest.TestCase):
    def test_kernels_pass(self):
        self.assertEqual(untagged([
            "0000000000000000 W void bitpq::v1::gemm_panel<float, xsimd::avx512bw>(float const*)",
            "0000000000000000 W bitpq::v1::kernel_table<float> const& bitpq::v1::detail::built_table<float, (bitpq::v1::isa)3>()",
            "0000000000000000 u bitpq::v1::detail::table_of<float, (bitpq::v1::isa)0, bitpq::v1::scalar_arch>",
            "0000000000000000 V DW.ref.__gxx_personality_v0",
            "                 U memcpy",
        ]), [])

    def test_helpers_are_found(self):
        for name in ("float const& std::max<float>(float const&, float const&)", "Eigen::internal::gebp_kernel"):
            self.assertEqual(untagged([f"0000000000000010 W {name}"]), [name])

    def test_strong_symbols_are_found(self):
        self.assertEqual(untagged(["0000000000000010 T helper(int)"]), ["helper(int)"])


if __name__ == "__main__":
    unittest.main()
