// SPDX-License-Identifier: Apache-2.0

#include "peers/eigen_product.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

namespace {
template <int ActivationOrder>
void multiply(const float* w, const float* x, float* y, Eigen::Index out, Eigen::Index in, Eigen::Index columns) {
  using weights = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using activations = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, ActivationOrder>;
  Eigen::Map<activations>(y, out, columns).noalias() =
      Eigen::Map<const weights>(w, out, in) * Eigen::Map<const activations>(x, in, columns);
}
}  // namespace

namespace bench {

void eigen_product(const float* w, const float* x, float* y, std::size_t out, std::size_t in, std::size_t columns,
                   bool column_major) {
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  if (column_major)
    multiply<Eigen::ColMajor>(w, x, y, index(out), index(in), index(columns));
  else
    multiply<Eigen::RowMajor>(w, x, y, index(out), index(in), index(columns));
}

#define BENCH_TEXT(x) #x
#define BENCH_DOTTED(x, y, z) BENCH_TEXT(x) "." BENCH_TEXT(y) "." BENCH_TEXT(z)
const char* eigen_version() { return BENCH_DOTTED(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION); }

std::size_t eigen_lanes() { return Eigen::internal::packet_traits<float>::size; }

}  // namespace bench
