// SPDX-License-Identifier: Apache-2.0

// Error feedback, least squares on codewords and coordinate descent, each against its definition worked out with Eigen
// in double precision, and the laws that they keep.

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/layers.hpp"
#include "support/random_pq.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/quantize/presets.hpp>

#include <Eigen/LU>

using bitpq::importance;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::output_metric;
using bitpq::pq_draft;
using bitpq_test::row_major;

namespace {

/// A layer with everything that a pass needs.
template <class T>
struct subject {
  const char* name;
  layer_geometry geometry;
  bitpq::extent2 image;
  bitpq::code_format format;
  std::vector<T> w{};
  importance h{};
  std::vector<output_metric<T>> metrics{};
  pq_draft<T> draft{};

  [[nodiscard]] matrix_view<const T> weights(std::size_t g) const {
    const std::size_t rows = format.rows / metrics.size();
    return {w.data() + g * rows * format.cols, rows, format.cols};
  }
  [[nodiscard]] std::size_t first_row(std::size_t g) const { return g * (format.rows / metrics.size()); }
};

/// Layers that between them have tails, groups, several codebooks, blocks wider than a panel, and more columns than are
/// reached at once.
template <class T>
std::vector<subject<T>> subjects() {
  std::vector<subject<T>> all{
      {"linear with a tail", layer_geometry::linear(40, 30), {1, 1}, {40, 30, 4, 16, 1}},
      {"1 x 1, wide", layer_geometry::conv2d(24, 260, {1, 1}), {3, 3}, {24, 260, 7, 16, 1}},
      {"3 x 3", layer_geometry::conv2d(48, 18, {3, 3}, {.padding = {1, 1}}), {5, 5}, {48, 162, 9, 24, 1}},
      {"grouped", layer_geometry::conv2d(36, 12, {3, 3}, {.groups = 3}), {6, 6}, {36, 36, 9, 12, 1}},
      {"two codebooks", layer_geometry::linear(30, 40), {1, 1}, {30, 40, 5, 10, 2}},
      {"long blocks", layer_geometry::linear(20, 300), {1, 1}, {20, 300, 70, 6, 1}},
  };
  std::uint64_t seed = 1;
  for (subject<T>& s : all) {
    const std::size_t batch = 400 / (s.image.h * s.image.w) + 1;
    s.w = bitpq_test::random_values<T>(s.format.rows * s.format.cols, seed);
    s.h = bitpq_test::moments_of(
        s.geometry, bitpq_test::correlated_images<T>(batch, s.geometry.in_channels, s.image, seed), batch, s.image);
    s.metrics = bitpq::output_metrics<T>(s.h, 0.01);
    const bitpq::pq_matrix<T> start = bitpq_test::random_pq<T>(s.format, seed);
    s.draft = {s.format, bitpq::aligned_buffer<T>(start.book().values()), std::vector<std::uint16_t>(s.format.codes())};
    for (std::size_t i = 0; i < s.draft.codes.size(); ++i) s.draft.codes[i] = start.codes()[i];
    ++seed;
  }
  return all;
}

template <class T>
row_major damped(const output_metric<T>& metric) {
  const auto n = static_cast<Eigen::Index>(metric.cols());
  row_major h(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j < n; ++j) h(i, j) = metric(static_cast<std::size_t>(i), static_cast<std::size_t>(j));
  return h;
}

template <class T>
row_major decoded(const pq_draft<T>& draft) {
  std::vector<T> w(draft.format.rows * draft.format.cols);
  draft.decode_rows(0, draft.format.rows, w.data(), draft.format.cols);
  return bitpq_test::to_eigen(matrix_view<const T>(w.data(), draft.format.rows, draft.format.cols));
}

/// tr(E H E^T) of the whole layer.
template <class T>
double loss(const subject<T>& s) {
  const row_major q = decoded(s.draft);
  double sum = 0;
  for (std::size_t g = 0; g < s.metrics.size(); ++g) {
    const row_major e =
        bitpq_test::to_eigen(s.weights(g)) -
        q.middleRows(static_cast<Eigen::Index>(s.first_row(g)), static_cast<Eigen::Index>(s.weights(g).rows()));
    sum += (e * damped(s.metrics[g]) * e.transpose()).trace();
  }
  return sum;
}

template <class T>
Eigen::VectorXd codeword(const pq_draft<T>& draft, std::size_t j, std::size_t k) {
  Eigen::VectorXd c(static_cast<Eigen::Index>(draft.format.width_of(j)));
  for (Eigen::Index i = 0; i < c.size(); ++i) c(i) = static_cast<double>(draft.codeword(j, k)[i]);
  return c;
}

/// How much worse, relative to `scale`, the code that was chosen for a block is than the best one for that target.
template <class T>
double regret(const pq_draft<T>& draft, std::size_t r, std::size_t j, const Eigen::VectorXd& target,
              const Eigen::MatrixXd& metric, double scale) {
  const auto cost = [&](std::size_t k) {
    const Eigen::VectorXd e = target - codeword(draft, j, k);
    return e.dot(metric * e);
  };
  double best = cost(0);
  for (std::size_t k = 1; k < draft.format.codewords; ++k) best = std::min(best, cost(k));
  return (cost(draft.code(r, j)) - best) / scale;
}

template <class T>
constexpr double step_rounding = std::is_same_v<T, float> ? 2e-4 : 1e-9;

}  // namespace

TEST_CASE("the upper factor of second moments") {
  for (const std::size_t n : {1U, 2U, 31U, 128U, 129U, 300U, 517U}) {
    INFO(n);
    const std::vector<double> x = bitpq_test::random_values<double>(n * 2 * n, n);
    const row_major columns = bitpq_test::to_eigen(matrix_view<const double>(x.data(), n, 2 * n));
    const row_major h = columns * columns.transpose() / static_cast<double>(n);
    const auto at = [&](std::size_t i, std::size_t j) {
      return h(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
    };
    const bitpq::detail::upper_factor factor(n, at, {});
    const bitpq::detail::upper_factor by_threads(n, at, bitpq_test::thread_executor(3));
    row_major a(h.rows(), h.cols());
    bool same = true;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        a(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = factor(i, j);
        same = same && factor(i, j) == by_threads(i, j);
        if (j < i) CHECK(factor(i, j) == 0);
      }
    CHECK(same);
    CHECK((a * a.transpose() - h).norm() <= 1e-12 * h.norm());
    CHECK(a.diagonal().minCoeff() > 0);
  }
}

TEMPLATE_TEST_CASE("error feedback chooses each code for what the blocks before it have left", "", float, double) {
  using T = TestType;
  for (subject<T>& s : subjects<T>()) {
    INFO(s.name);
    for (std::size_t g = 0; g < s.metrics.size(); ++g) {
      bitpq::encode_with_feedback<T>(s.draft, s.first_row(g), s.weights(g), s.metrics[g]);
      const row_major h = damped(s.metrics[g]), w = bitpq_test::to_eigen(s.weights(g));
      // Read backwards, Eigen's lower factor is the upper one.
      const row_major lower = Eigen::MatrixXd(h.reverse()).llt().matrixL();
      const row_major a = lower.reverse();
      double worst = 0;
      for (Eigen::Index r = 0; r < w.rows(); ++r) {
        Eigen::RowVectorXd left = Eigen::RowVectorXd::Zero(w.cols());
        for (std::size_t j = 0; j < s.format.blocks(); ++j) {
          const auto c = static_cast<Eigen::Index>(j * s.format.block_size),
                     n = static_cast<Eigen::Index>(s.format.width_of(j));
          const Eigen::MatrixXd diagonal = a.block(c, c, n, n);
          const Eigen::VectorXd target = w.block(r, c, 1, n).transpose() +
                                         diagonal.transpose().partialPivLu().solve(left.segment(c, n).transpose());
          const std::size_t row = s.first_row(g) + static_cast<std::size_t>(r);
          worst = std::max(
              worst, regret(s.draft, row, j, target, diagonal * diagonal.transpose(), w.row(r).dot(w.row(r) * h)));
          left += (w.block(r, c, 1, n) - codeword(s.draft, j, s.draft.code(row, j)).transpose()) * a.middleRows(c, n);
        }
      }
      CHECK(worst <= step_rounding<T>);
    }
  }
}

TEMPLATE_TEST_CASE("coordinate descent never loses, and stops where no single code can be better", "", float, double) {
  using T = TestType;
  for (subject<T>& s : subjects<T>()) {
    INFO(s.name);
    double before = loss(s);
    const double first = before;
    for (double gain = 1; gain > 1e-12;) {
      for (std::size_t g = 0; g < s.metrics.size(); ++g)
        bitpq::descend_codes<T>(s.draft, s.first_row(g), s.weights(g), s.metrics[g]);
      const double after = loss(s);
      CHECK(after <= before * (1 + step_rounding<T>));
      gain = (before - after) / before;
      before = after;
    }
    CHECK(before < 0.9 * first);
    const row_major q = decoded(s.draft);
    for (std::size_t g = 0; g < s.metrics.size(); ++g) {
      const row_major h = damped(s.metrics[g]), w = bitpq_test::to_eigen(s.weights(g));
      const row_major e = (w - q.middleRows(static_cast<Eigen::Index>(s.first_row(g)), w.rows())) * h;
      double worst = 0;
      for (Eigen::Index r = 0; r < w.rows(); ++r)
        for (std::size_t j = 0; j < s.format.blocks(); ++j) {
          const auto c = static_cast<Eigen::Index>(j * s.format.block_size),
                     n = static_cast<Eigen::Index>(s.format.width_of(j));
          const Eigen::MatrixXd block = h.block(c, c, n, n);
          const std::size_t row = s.first_row(g) + static_cast<std::size_t>(r);
          const Eigen::VectorXd target =
              codeword(s.draft, j, s.draft.code(row, j)) + block.llt().solve(e.block(r, c, 1, n).transpose());
          worst = std::max(worst, regret(s.draft, row, j, target, block, w.row(r).dot(w.row(r) * h)));
        }
      CHECK(worst <= step_rounding<T>);
    }
  }
}

TEMPLATE_TEST_CASE("least squares finds the best codewords for given codes", "", float, double) {
  using T = TestType;
  for (subject<T>& s : subjects<T>()) {
    INFO(s.name);
    const double start = loss(s);
    pq_draft<T> few = s.draft;
    bitpq::fit_codewords<T>(s.draft, s.w.data(), s.metrics, 2);
    const double after_two = loss(s);
    CHECK(after_two <= start * (1 + step_rounding<T>));
    bitpq::fit_codewords<T>(s.draft, s.w.data(), s.metrics, 500);
    const double fitted = loss(s);
    CHECK(fitted <= after_two * (1 + step_rounding<T>));
    // The gradient, of each codeword the sum of its blocks' [(W - Q) H]_j, vanishes.
    const row_major q = decoded(s.draft), q0 = decoded(few);
    const bitpq::code_format& f = s.format;
    row_major at_end = row_major::Zero(static_cast<Eigen::Index>(f.codebooks * f.codewords),
                                       static_cast<Eigen::Index>(f.block_size)),
              at_start = at_end;
    for (std::size_t g = 0; g < s.metrics.size(); ++g) {
      const row_major h = damped(s.metrics[g]), w = bitpq_test::to_eigen(s.weights(g));
      const auto first = static_cast<Eigen::Index>(s.first_row(g));
      const row_major e = (w - q.middleRows(first, w.rows())) * h, e0 = (w - q0.middleRows(first, w.rows())) * h;
      for (Eigen::Index r = 0; r < w.rows(); ++r)
        for (std::size_t j = 0; j < f.blocks(); ++j) {
          const auto c = static_cast<Eigen::Index>(j * f.block_size), n = static_cast<Eigen::Index>(f.width_of(j));
          const auto k = static_cast<Eigen::Index>(f.codebook_of(j) * f.codewords +
                                                   s.draft.code(static_cast<std::size_t>(first + r), j));
          at_end.row(k).head(n) += e.block(r, c, 1, n);
          at_start.row(k).head(n) += e0.block(r, c, 1, n);
        }
    }
    CHECK(at_end.norm() <= (std::is_same_v<T, float> ? 2e-3 : 2e-4) * at_start.norm());
  }
}

TEMPLATE_TEST_CASE("each refinement lowers the output error", "", float, double) {
  using T = TestType;
  for (const subject<T>& s : subjects<T>()) {
    INFO(s.name);
    const matrix_view<const T> w(s.w.data(), s.format.rows, s.format.cols);
    bitpq::pq_params params = bitpq::params_of(bitpq::preset::paper, s.geometry);
    params.block_size = s.format.block_size;
    params.codewords = s.format.codewords;
    params.storage = bitpq::codeword_type::f32;
    params.limit = bitpq::cluster_limit::points;
    params.max_iterations = 20;
    const auto error_of = [&] { return *bitpq::compress<T>(s.geometry, w, &s.h, params).report.output_error; };
    const double paper = error_of();
    params.metric = bitpq::pq_metric::feedback;
    params.refinement.error_feedback = true;
    const double feedback = error_of();
    params.refinement.rounds = 1;
    params.refinement.descent_sweeps = 0;
    const double fitted = error_of();
    params.refinement.descent_sweeps = 2;
    const double descended = error_of();
    params.refinement.rounds = 3;
    const double rounds = error_of();
    CHECK(feedback < paper);
    CHECK(fitted < feedback);
    CHECK(descended < fitted);
    CHECK(rounds < descended * 1.001);
  }
}

TEST_CASE("refined codes are the same on any executor, and from inputs in any unit") {
  for (const subject<float>& s : subjects<float>()) {
    INFO(s.name);
    const matrix_view<const float> w(s.w.data(), s.format.rows, s.format.cols);
    bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
    params.block_size = s.format.block_size;
    params.codewords = s.format.codewords;
    params.max_iterations = 5;
    const auto serial = bitpq::compress<float>(s.geometry, w, &s.h, params);
    const auto threads = bitpq::compress<float>(s.geometry, w, &s.h, params, bitpq_test::thread_executor(3));
    CHECK(bitpq_test::same_weights(serial.weights, threads.weights));
    bitpq::aligned_buffer<double> scaled(s.h.groups() * s.h.cols() * s.h.cols());
    for (std::size_t g = 0; g < s.h.groups(); ++g)
      for (std::size_t i = 0; i < s.h.cols() * s.h.cols(); ++i)
        scaled[g * s.h.cols() * s.h.cols() + i] = s.h.gram(g).data_handle()[i] * 0x1p40;
    const importance large(s.h.groups(), s.h.cols(), scaled);
    CHECK(bitpq_test::same_weights(serial.weights, bitpq::compress<float>(s.geometry, w, &large, params).weights));
  }
}

TEMPLATE_TEST_CASE("stages add up, and each lowers the error", "", float, double) {
  using T = TestType;
  for (const subject<T>& s : subjects<T>()) {
    INFO(s.name);
    const matrix_view<const T> w(s.w.data(), s.format.rows, s.format.cols);
    bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
    params.block_size = s.format.block_size;
    params.codewords = s.format.codewords;
    params.limit = bitpq::cluster_limit::points;
    params.max_iterations = 8;
    params.refinement.rounds = params.refinement.descent_sweeps = 1;
    double before = 1;
    for (std::size_t stages = 1; stages <= 3; ++stages) {
      params.stages = stages;
      const auto made = bitpq::compress<T>(s.geometry, w, &s.h, params);
      CHECK(made.weights.format().stages == stages);
      CHECK(*made.report.output_error < 0.8 * before);
      before = *made.report.output_error;
    }
    // Without refinement as well, and in any metric.
    params.refinement = {};
    for (const auto metric : {bitpq::pq_metric::weights, bitpq::pq_metric::gram, bitpq::pq_metric::block_gram}) {
      params.metric = metric;
      params.stages = 1;
      const double one = *bitpq::compress<T>(s.geometry, w, &s.h, params).report.output_error;
      params.stages = 2;
      CHECK(*bitpq::compress<T>(s.geometry, w, &s.h, params).report.output_error < one);
    }
  }
}

TEMPLATE_TEST_CASE("row scales let rows of any size share codewords", "", float, double) {
  using T = TestType;
  for (subject<T>& s : subjects<T>()) {
    INFO(s.name);
    for (std::size_t i = 0; i < s.w.size(); ++i) s.w[i] *= static_cast<T>(std::exp2(i / s.format.cols % 5));
    std::fill_n(s.w.begin(), s.format.cols, T{0});  // a row of zeros has no scale of its own
    const matrix_view<const T> w(s.w.data(), s.format.rows, s.format.cols);
    bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
    params.block_size = s.format.block_size;
    params.codewords = s.format.codewords;
    const auto without = bitpq::compress<T>(s.geometry, w, &s.h, params);
    params.row_scales = true;
    const auto with = bitpq::compress<T>(s.geometry, w, &s.h, params);
    CHECK(with.weights.scales().size() == s.format.rows);
    CHECK(with.report.size.total_bits() == without.report.size.total_bits() + 16 * s.format.rows);
    CHECK(*with.report.output_error < *without.report.output_error);
  }
}

TEST_CASE("int8 codebooks are assigned anew after rounding") {
  const std::vector<subject<float>> all = subjects<float>();
  const subject<float>& s = all[2];
  const matrix_view<const float> w(s.w.data(), s.format.rows, s.format.cols);
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
  params.storage = bitpq::codeword_type::f32;
  const double exact = *bitpq::compress<float>(s.geometry, w, &s.h, params).report.output_error;
  params.storage = bitpq::codeword_type::i8;
  const auto rounded = bitpq::compress<float>(s.geometry, w, &s.h, params);
  CHECK(rounded.weights.book().type() == bitpq::codeword_type::i8);
  CHECK(*rounded.report.output_error < 1.05 * exact);
}

TEST_CASE("large second moments are made do without, and the report says so") {
  const std::vector<subject<float>> all = subjects<float>();
  const subject<float>& s = all[1];
  const matrix_view<const float> w(s.w.data(), s.format.rows, s.format.cols);
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
  params.moments_memory = 260 * 260 * 16;
  const auto whole = bitpq::compress<float>(s.geometry, w, &s.h, params).report;
  CHECK((!whole.moments_reduced && whole.metric == bitpq::pq_metric::feedback && whole.refinement.rounds == 3));
  params.moments_memory -= 1;
  const auto reduced = bitpq::compress<float>(s.geometry, w, &s.h, params).report;
  CHECK((reduced.moments_reduced && reduced.metric == bitpq::pq_metric::block_gram && !reduced.refinement.any()));
  CHECK(*reduced.output_error > *whole.output_error);
}

TEST_CASE("refinement can be cancelled, and refuses what it cannot work with") {
  const std::vector<subject<float>> all = subjects<float>();
  const subject<float>& s = all[0];
  const matrix_view<const float> w(s.w.data(), s.format.rows, s.format.cols);
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, s.geometry);
  std::vector<std::string> stages;
  params.progress = [&](const bitpq::progress& p) {
    stages.emplace_back(p.stage);
    return p.stage != "refinement" || p.done < 2;
  };
  bitpq_test::expect_error(bitpq::errc::cancelled, "cancelled in stage 2 of 4 of refinement",
                           [&] { static_cast<void>(bitpq::compress<float>(s.geometry, w, &s.h, params)); });
  CHECK(stages.front() == "k-means");
  CHECK(stages.back() == "refinement");
  params.progress = {};
  params.refinement = {};
  bitpq_test::expect_error(bitpq::errc::bad_params, "pq_metric::feedback without statistics of the inputs",
                           [&] { static_cast<void>(bitpq::compress<float>(s.geometry, w, nullptr, params)); });
  params.metric = bitpq::pq_metric::weights;
  params.refinement.rounds = 1;
  bitpq_test::expect_error(bitpq::errc::bad_params, "refinement without statistics of the inputs",
                           [&] { static_cast<void>(bitpq::compress<float>(s.geometry, w, nullptr, params)); });
  // Symmetric, and yet no second moments of anything.
  bitpq::aligned_buffer<double> indefinite(30 * 30);
  for (std::size_t i = 0; i < 30 * 30; ++i) indefinite[i] = i % 31 == 0 ? 1 : 0.9 * (i % 2 == 0 ? 1 : -1);
  for (std::size_t i = 0; i < 30; ++i)
    for (std::size_t j = 0; j < i; ++j) indefinite[i * 30 + j] = indefinite[j * 30 + i];
  const importance bad(1, 30, indefinite);
  params.metric = bitpq::pq_metric::feedback;
  bitpq_test::expect_error(bitpq::errc::bad_params, "second moments of 30 x 30 are not positive definite near column 0",
                           [&] { static_cast<void>(bitpq::compress<float>(s.geometry, w, &bad, params)); });
}

TEST_CASE("presets have names") {
  for (const bitpq::preset p : bitpq::all_presets) {
    CHECK(bitpq::preset_of(to_string(p)) == p);
    bitpq::params_of(p, layer_geometry::linear(10, 20)).validate();
  }
  bitpq_test::expect_error(bitpq::errc::bad_params,
                           "no preset is called \"bset\"; there are paper, fast, best and quick-to-run",
                           [] { static_cast<void>(bitpq::preset_of("bset")); });
}
