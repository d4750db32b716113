// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long each step of a network takes, over many answers.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace imagenet {

class step_times {
 public:
  /// Calls run_step(i) for each i < steps and looks at the clock in between. The first answer fetches memory and does
  /// not count.
  template <class F>
  void answer(std::size_t steps, const F& run_step) {
    using clock = std::chrono::steady_clock;
    samples_.resize(steps);
    for (std::size_t i = 0; i < steps; ++i) {
      const auto start = clock::now();
      run_step(i);
      const double ms = std::chrono::duration<double, std::milli>(clock::now() - start).count();
      if (warm_) samples_[i].push_back(ms);
    }
    warm_ = true;
  }

  /// A line for each step: name(i), way(i), the median of its times, and its share of all medians.
  template <class Name, class Way>
  [[nodiscard]] std::string table(const Name& name, const Way& way) const {
    std::vector<double> medians;
    double all = 0;
    for (const std::vector<double>& s : samples_) all += medians.emplace_back(median(s));
    std::string text;
    for (std::size_t i = 0; i < medians.size(); ++i) text += line(name(i), way(i), medians[i], 100 * medians[i] / all);
    return text + line("all", "", all, 100);
  }

 private:
  static double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  static std::string line(const std::string& name, const std::string& way, double ms, double share) {
    char text[160];
    std::snprintf(text, sizeof text, "%-24s %-20s %9.3f ms %6.1f %%\n", name.c_str(), way.c_str(), ms, share);
    return text;
  }

  std::vector<std::vector<double>> samples_;
  bool warm_ = false;
};

}  // namespace imagenet
