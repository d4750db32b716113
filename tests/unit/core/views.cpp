// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <Eigen/Core>

#include <numeric>
#include <vector>

using bitpq::matrix_view;
using bitpq::nchw_view;

namespace {

template <class T>
bool same(matrix_view<const T> a, matrix_view<const T> b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (std::size_t i = 0; i < a.rows(); ++i)
    for (std::size_t j = 0; j < a.cols(); ++j)
      if (a(i, j) != b(i, j)) return false;
  return true;
}

std::vector<float> counting(std::size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

}  // namespace

TEST_CASE("a matrix view addresses by its strides") {
  std::vector<float> data = counting(24);
  const matrix_view<float> m(data.data(), 4, 6);
  CHECK(m(2, 3) == 15);
  CHECK((m.rows() == 4 && m.cols() == 6 && m.size() == 24 && m.extent(0) == 4 && m.extent(1) == 6));
  CHECK((m.stride(0) == 6 && m.stride(1) == 1 && m.data_handle() == data.data()));
  const matrix_view<float> t = m.transposed();
  CHECK((t.rows() == 6 && t.cols() == 4 && t(3, 2) == 15));
  const matrix_view<float> backward(data.data() + 23, 4, 6, -6, -1);
  CHECK((backward(0, 0) == 23 && backward(3, 5) == 0 && backward(1, 2) == 15));
  const matrix_view<float> spread(data.data(), 2, 3, 12, 4);
  CHECK((spread(1, 2) == 20));
  const matrix_view<float> repeated(data.data() + 5, 3, 2, 0, 1);
  CHECK((repeated(0, 1) == 6 && repeated(2, 1) == 6));
  m(0, 0) = -1;
  CHECK(data[0] == -1);
}

TEST_CASE("blocks and transposes of views commute") {
  std::vector<float> data = counting(30);
  const matrix_view<const float> m(data.data(), 5, 6);
  const matrix_view<const float> part = m.block(1, 2, 3, 4);
  CHECK((part(0, 0) == 8 && part(2, 3) == 23 && part.stride(0) == 6));
  CHECK(same<float>(m.transposed().block(2, 1, 4, 3), part.transposed()));
  CHECK(same<float>(m.block(0, 0, 5, 6), m));
  CHECK(m.block(5, 6, 0, 0).empty());
  CHECK(m.block(2, 2, 0, 3).rows() == 0);
  CHECK(matrix_view<float>().block(0, 0, 0, 0).empty());
}

TEST_CASE("views take Eigen's matrices, maps and blocks where they lie") {
  Eigen::Matrix<float, 3, 4, Eigen::RowMajor> rows;
  Eigen::MatrixXf columns(3, 4);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) rows(i, j) = columns(i, j) = static_cast<float>(10 * i + j);
  const matrix_view<float> from_rows(rows), from_columns(columns);
  CHECK((from_rows.stride(0) == 4 && from_rows.stride(1) == 1));
  CHECK((from_columns.stride(0) == 1 && from_columns.stride(1) == 3));
  CHECK(same<float>(from_rows, from_columns));

  auto middle = columns.block(1, 1, 2, 2);
  const matrix_view<float> from_block(middle);
  CHECK((from_block.data_handle() == &columns(1, 1) && from_block(1, 1) == 22));
  from_block(0, 0) = -5;
  CHECK(columns(1, 1) == -5);

  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::Map<const Eigen::MatrixXf, 0, strides> every_second(rows.data(), 2, 2, strides(2, 4));
  const matrix_view<const float> from_map(every_second);
  CHECK((from_map(1, 1) == 12 && from_map.stride(0) == 4 && from_map.stride(1) == 2));
  const Eigen::MatrixXf& constant = columns;
  CHECK(matrix_view<const float>(constant)(2, 3) == 23);
  const Eigen::VectorXf vector = Eigen::VectorXf::LinSpaced(5, 0, 4);
  const matrix_view<const float> from_vector(vector);
  CHECK((from_vector.rows() == 5 && from_vector.cols() == 1 && from_vector(3, 0) == 3));
}

TEST_CASE("views take spans of the right size") {
  std::vector<double> data(6, 2.0);
  const matrix_view<double> m(std::span<double>(data), 2, 3);
  const matrix_view<const double> constant = m;
  CHECK((constant(1, 2) == 2.0 && constant.data_handle() == data.data()));
  CHECK(matrix_view<double>(std::span<double>(), 0, 7).empty());
}

TEST_CASE("an empty view may lie over nothing") {
  CHECK(matrix_view<float>().empty());
  CHECK(matrix_view<float>(nullptr, 0, 9).cols() == 9);
  CHECK(matrix_view<float>(nullptr, 9, 0).empty());
  CHECK(nchw_view<float>().empty());
  CHECK(nchw_view<float>(nullptr, 0, 3, 4, 5).channels() == 3);
}

TEST_CASE("feature maps are indexed alike whatever their memory order") {
  const std::size_t n = 2, c = 3, h = 4, w = 5;
  std::vector<float> data = counting(n * c * h * w);
  const nchw_view<float> planes(data.data(), n, c, h, w);
  const nchw_view<float> pixels = nchw_view<float>::nhwc(data.data(), n, c, h, w);
  CHECK(planes(1, 2, 3, 4) == static_cast<float>(((1 * c + 2) * h + 3) * w + 4));
  CHECK(pixels(1, 2, 3, 4) == static_cast<float>(((1 * h + 3) * w + 4) * c + 2));
  CHECK((pixels.stride(1) == 1 && pixels.stride(3) == 3 && pixels.size() == planes.size()));
  CHECK((planes.batch() == n && planes.channels() == c && planes.height() == h && planes.width() == w));
  const nchw_view<const float> constant = pixels;
  CHECK(&constant(1, 1, 1, 1) == &pixels(1, 1, 1, 1));
  const nchw_view<float> flipped(data.data() + data.size() - 1, {n, c, h, w}, {-60, -20, -5, -1});
  CHECK(flipped(0, 0, 0, 1) == 118);
}
