// SPDX-License-Identifier: Apache-2.0

// Included twice, with BITPQ_TEST_HOST naming the function to define and HOST_NAME(x) the namespaces. The namespaces
// are renamed so that the linker cannot merge the two copies of a template into one; the kernels are then those of
// the compiler's flags, the same in both.

#undef BITPQ_DISPATCH
#define Eigen HOST_NAME(Eigen)
#define bitpq HOST_NAME(bitpq)
#define bitpq_test HOST_NAME(bitpq_test)

#include "support/layers.hpp"

#include "openmp_host.hpp"

namespace {

void compress_layer(host_result& result) {
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(48, 16, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1});
  const std::vector<float> x = bitpq_test::correlated_images<float>(4, 16, {10, 11}, 3);
  const std::vector<float> w = bitpq_test::random_values<float>(48 * 144, 4);
  const bitpq::importance h = bitpq_test::moments_of(g, x, 4, {10, 11});
  bitpq::pq_params params;
  params.block_size = 72;
  params.limit = bitpq::cluster_limit::points;
  params.codewords = 40;
  bitpq::product_quantizer<float> quantizer(params);
  quantizer.train({w.data(), 48, 144}, &h);
  const bitpq::pq_matrix<float> codes = quantizer.encode({w.data(), 48, 144});
  result.codes = codes.codes().unpack();
  result.codewords.assign(codes.book().values().begin(), codes.book().values().end());
  result.objective = quantizer.objective();
  result.output_error = bitpq::relative_output_error<float>({w.data(), 48, 144}, codes, h);
}

/// Large enough for Eigen's blocked factorisation.
void whiten(host_result& result) {
  constexpr std::size_t d = 200;
  const std::vector<double> values = bitpq_test::random_values<double>(d * d, 6);
  std::vector<double> gram(d * d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      for (std::size_t k = 0; k < d; ++k) gram[i * d + j] += values[i * d + k] * values[j * d + k];
  result.whitened = bitpq_test::random_values<double>(3 * d, 7);
  const bitpq::whitening white(bitpq::matrix_view<const double>(gram.data(), d, d), 0.01);
  white.apply(std::span<double>(result.whitened), d);
}

}  // namespace

host_result BITPQ_TEST_HOST() {
  host_result result;
  result.eigen_threads = Eigen::nbThreads();
  try {
    compress_layer(result);
    whiten(result);
  } catch (const bitpq::error& e) {
    if (e.code() != bitpq::errc::unsupported) throw;
    result.unusable = e.what();  // BITPQ_ISA forces an instruction set that this build does not carry
  }
  return result;
}
