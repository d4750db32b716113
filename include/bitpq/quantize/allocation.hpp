// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which size each layer of a network is given, so that the errors add up to the least within a budget of bytes, of time
// or of both (Shoham and Gersho 1988): bytes and time get prices, each layer takes the point that is cheapest at these
// prices, which is a vertex of its lower convex hull, and the prices rise until the budgets are kept. What the vertices
// leave of the budgets is then spent on single layers.

#include <bitpq/core/concepts.hpp>

#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// One way to compress a layer, measured or estimated. Errors of different layers are added up.
struct operating_point {
  std::size_t bytes = 0;
  double cost = 0;   ///< time, in a unit of the caller's
  double error = 0;  ///< relative output error, for instance
};

/// What all layers together may take.
struct allocation_budget {
  std::optional<std::size_t> bytes{};
  std::optional<double> cost{};
};

/// The point chosen for each layer, by its index, and the sums over the layers.
struct allocation {
  std::vector<std::size_t> choice;
  operating_point total;
};

namespace detail {

using layer_points = std::span<const std::vector<operating_point>>;

/// What a byte and a unit of time cost, in units of the error.
struct resource_prices {
  double bytes = 0, cost = 0;

  [[nodiscard]] double of(const operating_point& p) const noexcept {
    return bytes * static_cast<double>(p.bytes) + cost * p.cost;
  }
};

inline operating_point total_of(layer_points layers, const std::vector<std::size_t>& choice) noexcept {
  operating_point total;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const operating_point& p = layers[l][choice[l]];
    total.bytes += p.bytes;
    total.cost += p.cost;
    total.error += p.error;
  }
  return total;
}

inline bool keeps(const allocation_budget& budget, const operating_point& total) noexcept {
  return (!budget.bytes || total.bytes <= *budget.bytes) && (!budget.cost || total.cost <= *budget.cost);
}

/// The index of each layer's smallest value(point); of equal ones, the first.
template <class Value>
std::vector<std::size_t> least_of_each(layer_points layers, const Value& value) {
  std::vector<std::size_t> choice(layers.size());
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (std::size_t i = 1; i < layers[l].size(); ++i)
      if (value(layers[l][i]) < value(layers[l][choice[l]])) choice[l] = i;
  return choice;
}

inline allocation at_prices(layer_points layers, const resource_prices& prices) {
  allocation a;
  a.choice = least_of_each(layers, [&](const operating_point& p) { return p.error + prices.of(p); });
  a.total = total_of(layers, a.choice);
  return a;
}

/// About the least price at which fits(price): it fits at what is returned, unless it does at no price. Doubling and
/// halving find the magnitude, bisection the digits.
template <class Fits>
double least_price(const Fits& fits) {
  if (fits(0.0)) return 0;
  double high = 1;
  for (int i = 0; i < 300 && !fits(high); ++i) high *= 2;
  for (int i = 0; i < 300 && fits(high / 2); ++i) high /= 2;
  double low = high / 2;
  for (int i = 0; i < 50; ++i) {
    const double middle = low + (high - low) / 2;
    (fits(middle) ? high : low) = middle;
  }
  return high;
}

/// Prices at which the budgets are kept; for two budgets there may be none, though a choice exists.
inline resource_prices prices_for(layer_points layers, const allocation_budget& budget) {
  const auto for_bytes = [&](double cost_price) {
    if (!budget.bytes) return resource_prices{0, cost_price};
    const auto fits = [&](double price) { return at_prices(layers, {price, cost_price}).total.bytes <= *budget.bytes; };
    return resource_prices{least_price(fits), cost_price};
  };
  if (!budget.cost) return for_bytes(0);
  return for_bytes(
      least_price([&](double price) { return at_prices(layers, for_bytes(price)).total.cost <= *budget.cost; }));
}

/// Moves single layers to points of less error that still fit, those that gain most for their price first.
inline void spend_the_rest(layer_points layers, const allocation_budget& budget, const resource_prices& prices,
                           allocation& a) {
  for (;;) {
    double best = 0;
    std::size_t layer = layers.size(), point = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const operating_point& now = layers[l][a.choice[l]];
      for (std::size_t i = 0; i < layers[l].size(); ++i) {
        const operating_point& next = layers[l][i];
        const double gain = now.error - next.error, paid = prices.of(next) - prices.of(now);
        if (gain <= 0) continue;
        const operating_point total{a.total.bytes - now.bytes + next.bytes, a.total.cost - now.cost + next.cost, 0};
        if (!keeps(budget, total)) continue;
        const double worth = paid > 0 ? gain / paid : (std::numeric_limits<double>::max)();
        if (worth > best) {
          best = worth;
          layer = l;
          point = i;
        }
      }
    }
    if (layer == layers.size()) return;
    a.choice[layer] = point;
    a.total = total_of(layers, a.choice);
  }
}

inline void require_points(layer_points layers) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    require(!layers[l].empty(), errc::bad_params, "layer ", l, " has no operating point");
    for (std::size_t i = 0; i < layers[l].size(); ++i) {
      const operating_point& p = layers[l][i];
      require(std::isfinite(p.cost) && std::isfinite(p.error) && p.cost >= 0 && p.error >= 0, errc::bad_params,
              "operating point ", i, " of layer ", l, " has cost ", p.cost, " and error ", p.error,
              ", which are not finite numbers >= 0");
    }
  }
}

/// Throws unless each budget could be kept on its own.
inline void require_reachable(layer_points layers, const allocation_budget& budget) {
  const auto smallest = [](const operating_point& p) { return static_cast<double>(p.bytes); };
  const auto fastest = [](const operating_point& p) { return p.cost; };
  const std::size_t bytes = total_of(layers, least_of_each(layers, smallest)).bytes;
  const double cost = total_of(layers, least_of_each(layers, fastest)).cost;
  require(!budget.bytes || *budget.bytes >= bytes, errc::bad_params, "a budget of ", budget.bytes.value_or(0),
          " bytes is below ", bytes, ", the smallest reachable size");
  require(!budget.cost || *budget.cost >= cost, errc::bad_params, "a budget of time of ", budget.cost.value_or(0),
          " is below ", cost, ", the least reachable");
}

}  // namespace detail

/// Chooses one point per layer. Without a budget every layer gets the least error. With one budget the sum of errors
/// exceeds the least possible by no more than one step of one layer's convex hull. The same points make the same
/// choice. Throws bad_params for a layer without points, for numbers that are negative or not finite, and for a budget
/// that cannot be kept, with the smallest size, or time, that can. O(points (log range)^2 + points x moves).
[[nodiscard]] inline allocation allocate(std::span<const std::vector<operating_point>> layers,
                                         const allocation_budget& budget) {
  detail::require_points(layers);
  detail::require_reachable(layers, budget);
  const detail::resource_prices prices = detail::prices_for(layers, budget);
  allocation a = detail::at_prices(layers, prices);
  if (!detail::keeps(budget, a.total)) {
    // Both budgets, and no price keeps both: start from the fastest choice of that size.
    std::vector<std::vector<operating_point>> times(layers.begin(), layers.end());
    for (std::vector<operating_point>& points : times)
      for (operating_point& p : points) p.error = p.cost;
    a.choice = allocate(times, {budget.bytes, std::nullopt}).choice;
    a.total = detail::total_of(layers, a.choice);
    require(detail::keeps(budget, a.total), errc::bad_params, "a budget of time of ", budget.cost.value_or(0),
            " is below ", a.total.cost, ", the least that was found within ", budget.bytes.value_or(0), " bytes");
  }
  detail::spend_the_rest(layers, budget, prices, a);
  return a;
}

}  // namespace v1
}  // namespace bitpq
