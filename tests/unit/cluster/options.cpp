// SPDX-License-Identifier: Apache-2.0

// Restarts, annealing and batches: what they promise.

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/kmeans_checks.hpp"

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq::seeding_method;
using bitpq_test::rows_of;

namespace {

kmeans_params small(std::size_t clusters) {
  kmeans_params params;
  params.clusters = clusters;
  params.max_iterations = 20;
  params.tolerance = 0;
  return params;
}

/// Hands `points` over in batches and counts its passes.
template <class T>
class reader {
 public:
  reader(const std::vector<T>& points, std::size_t d) : points_(points), d_(d) {}

  std::size_t operator()(std::span<T> batch) {
    const std::size_t n = std::min(batch.size() / d_, points_.size() / d_ - at_);
    std::copy_n(points_.begin() + static_cast<std::ptrdiff_t>(at_ * d_), n * d_, batch.begin());
    at_ += n;
    if (n == 0) {
      at_ = 0;
      ++passes;
    }
    return n;
  }
  std::size_t passes = 0;

 private:
  const std::vector<T>& points_;
  std::size_t d_, at_ = 0;
};

template <class T>
bitpq::kmeans_result<T> by_batches(const std::vector<T>& points, std::size_t d, const kmeans_params& params,
                                   bitpq::executor_ref exec = {}, const bitpq::whitening& white = {}) {
  reader<T> read(points, d);
  auto result = bitpq::kmeans_batches<T>(std::ref(read), d, params, exec, white);
  CHECK(read.passes == result.iterations + 1);
  return result;
}

}  // namespace

TEST_CASE("restarts keep the best run and are never worse than one") {
  const std::vector<float> points = bitpq_test::random_values<float>(600 * 3, 8);
  bool ever_better = false;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    kmeans_params params = small(12);
    params.seed = seed;
    params.seeding = seeding_method::random;
    double least = kmeans<float>(rows_of(points, 3), {}, params).objective;
    const double once = least;
    for (const std::size_t restarts : {1U, 2U, 5U}) {
      params.restarts = restarts;
      std::size_t reports = 0;
      params.progress = [&](const bitpq::progress& report) {
        ++reports;
        return report.done <= report.total && report.total == 20 * (restarts + 1);
      };
      const auto result = kmeans<float>(rows_of(points, 3), {}, params);
      CHECK(result.objective <= least);
      CHECK(result.objective == Approx(bitpq_test::objective_of<float>(rows_of(points, 3), {}, result)));
      CHECK(reports > restarts);
      least = result.objective;
    }
    ever_better = ever_better || least < once;
  }
  CHECK(ever_better);
}

TEST_CASE("a cancelled restart hands back the best so far") {
  const std::vector<float> points = bitpq_test::random_values<float>(600 * 3, 8);
  kmeans_params params = small(12);
  const auto first = kmeans<float>(rows_of(points, 3), {}, params);
  params.restarts = 3;
  params.progress = [](const bitpq::progress& report) { return report.done != 20; };  // where the second run begins
  const auto result = kmeans<float>(rows_of(points, 3), {}, params);
  CHECK(result.stopped == bitpq::stop_reason::cancelled);
  CHECK((result.codes == first.codes && result.objective == first.objective));
}

TEST_CASE("annealing disturbs at first, settles, and helps bad seeds") {
  // Two far groups of places; all seeds in one of them is a valley that plain k-means does not leave quickly.
  const std::vector<float> points = bitpq_test::random_values<float>(3000 * 4, 3);
  double plain = 0, annealed = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    kmeans_params params = small(40);
    params.max_iterations = 60;
    params.seeding = seeding_method::random;
    params.seed = seed;
    plain += kmeans<float>(rows_of(points, 4), {}, params).objective;
    params.annealing = 0.5;
    std::vector<double> objectives;
    params.progress = [&](const bitpq::progress& report) {
      objectives.push_back(report.objective);
      return true;
    };
    const auto result = kmeans<float>(rows_of(points, 4), {}, params);
    CHECK(result.iterations >= 30);
    CHECK(result.objective == Approx(bitpq_test::objective_of<float>(rows_of(points, 4), {}, result)));
    for (std::size_t i = 31; i < objectives.size(); ++i) CHECK(objectives[i] <= objectives[i - 1] * (1 + 1e-6));
    annealed += result.objective;
  }
  CHECK(annealed < plain);
}

TEST_CASE("noise does not depend on the scale of the data") {
  const std::vector<float> points = bitpq_test::random_values<float>(500 * 2, 3);
  std::vector<float> scaled = points;
  for (float& v : scaled) v *= 1024;
  kmeans_params params = small(10);
  params.annealing = 1;
  CHECK(kmeans<float>(rows_of(points, 2), {}, params).codes == kmeans<float>(rows_of(scaled, 2), {}, params).codes);
}

TEMPLATE_TEST_CASE("batches reach what k-means reaches", "", float, double) {
  using T = TestType;
  const std::vector<T> points = bitpq_test::random_values<T>(5000 * 3, 5);
  kmeans_params params = small(24);
  const double whole = kmeans<T>(rows_of(points, 3), {}, params).objective;
  for (const std::size_t batch : {700U, 5000U, 9000U}) {
    params.batch = batch;
    std::vector<double> objectives;
    params.progress = [&](const bitpq::progress& report) {
      objectives.push_back(report.objective);
      return true;
    };
    auto result = by_batches(points, 3, params);
    CHECK((result.codes.empty() && result.clusters == 24 && result.iterations == 20));
    for (std::size_t i = 2; i < objectives.size(); ++i) CHECK(objectives[i] <= objectives[i - 1] * (1 + 1e-6));
    CHECK(result.objective < 1.05 * whole);
    CHECK(result.objective == objectives.back());
    // It is that of the codewords returned.
    kmeans_params given = params;
    given.seeding = seeding_method::given;
    given.initial.assign(result.codewords.begin(), result.codewords.end());
    CHECK(bitpq_test::only_seeded<T>(rows_of(points, 3), {}, given).objective ==
          Approx(result.objective).epsilon(1e-9));
  }
}

TEST_CASE("one pass of batches is already of use") {
  const std::vector<float> points = bitpq_test::blobs<float>(8000, 3, 16, 2);
  kmeans_params params = small(16);
  params.batch = 500;
  params.max_iterations = 1;
  CHECK(by_batches(points, 3, params).objective < 8000 * 3 * 0.05 * 0.05 * 1.1);
}

TEST_CASE("batches fill empty clusters, honour the metric and can be cancelled") {
  // The first batch lies on one spot, the others on eight more.
  std::vector<float> points(4000, 0.0F);
  for (std::size_t p = 1000; p < 4000; ++p) points[p] = 10.0F * static_cast<float>(p % 8 + 1);
  kmeans_params params = small(9);
  params.batch = 1000;
  const auto spread = by_batches(points, 1, params);
  CHECK(spread.repaired >= 8);
  CHECK(spread.objective == 0);

  const std::vector<float> noise = bitpq_test::random_values<float>(2000 * 2, 4);
  const double gram[] = {4, 1, 1, 1};
  const auto white = bitpq::whitening({gram, 2, 2});
  kmeans_params metric = small(8);
  metric.batch = 2000;
  const double whole = kmeans<float>(rows_of(noise, 2), {}, metric, {}, white).objective;
  CHECK(by_batches(noise, 2, metric, {}, white).objective < 1.1 * whole);

  std::size_t reports = 0;
  params.progress = [&](const bitpq::progress&) { return ++reports < 2; };
  CHECK(by_batches(points, 1, params).stopped == bitpq::stop_reason::cancelled);
}

TEST_CASE("batches refuse what they cannot do") {
  const std::vector<float> points = bitpq_test::random_values<float>(30, 1);
  const auto with = [&](auto change, bitpq::batch_reader<float> read = {}) {
    return [&points, change, read] {
      kmeans_params params = small(2);
      params.batch = 10;
      std::size_t d = 3;
      change(params, d);
      reader<float> whole(points, 3);
      static_cast<void>(bitpq::kmeans_batches<float>(read ? read : std::ref(whole), d, params));
    };
  };
  const auto nothing = [](kmeans_params&, std::size_t&) {};
  using bitpq::errc;
  using bitpq_test::expect_error;
  expect_error(errc::bad_shape, "k-means over points of 0 dimensions",
               with([](kmeans_params&, std::size_t& d) { d = 0; }));
  expect_error(errc::bad_params, "restarts 3 in k-means by batches",
               with([](kmeans_params& p, std::size_t&) { p.restarts = 3; }));
  expect_error(errc::bad_params, "annealing 0.5 in k-means by batches",
               with([](kmeans_params& p, std::size_t&) { p.annealing = 0.5; }));
  expect_error(errc::bad_shape, "k-means over a reader without points",
               with(nothing, [](std::span<float>) { return std::size_t{0}; }));
  expect_error(errc::bad_shape, "a reader returned 11 points into a batch of 10",
               with(nothing, [](std::span<float>) { return std::size_t{11}; }));
  expect_error(errc::non_finite, "batch holds inf at (0, 1)", with(nothing, [](std::span<float> batch) {
                 batch[1] = std::numeric_limits<float>::infinity();
                 return std::size_t{10};
               }));
  std::size_t calls = 0;
  expect_error(errc::bad_shape, "a reader brought 10 points after a pass of 20",
               with(nothing, [&](std::span<float> batch) {
                 std::fill(batch.begin(), batch.end(), static_cast<float>(calls));
                 ++calls;
                 return calls == 3 || calls == 5 ? std::size_t{0} : std::size_t{10};
               }));
}
