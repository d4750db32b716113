// SPDX-License-Identifier: Apache-2.0

#include "openmp_host.hpp"

#include "support/catch.hpp"

#include <omp.h>

TEST_CASE("a host compiled with OpenMP gets the bits that one without it gets") {
  const host_result plain = run_without_openmp();
  if (!plain.unusable.empty()) BITPQ_TEST_SKIP(plain.unusable);
  CHECK(plain.eigen_threads == 1);
  CHECK(plain.codes.size() == 48 * 2);
  const int before = omp_get_max_threads();
  for (const int threads : {1, 2, 5}) {
    INFO(threads << " threads");
    omp_set_num_threads(threads);
    const host_result parallel = run_with_openmp();
    CHECK(parallel.eigen_threads == threads);  // else this test would show nothing
    CHECK(parallel.codes == plain.codes);
    CHECK(parallel.codewords == plain.codewords);
    CHECK(parallel.objective == plain.objective);
    CHECK(parallel.output_error == plain.output_error);
    CHECK(parallel.whitened == plain.whitened);
  }
  omp_set_num_threads(before);
}
