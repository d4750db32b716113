// SPDX-License-Identifier: Apache-2.0
#pragma once

// The matrices of Winograd's minimal filtering F(m x m, 3 x 3) for m of 2 and 4, one dimension at a time. A tile of
// m x m outputs is A^T [(G g G^T) * (B^T x B)] A, of a tile x of (m + 2) x (m + 2) inputs and a filter g: (m + 2)^2
// multiplications instead of 9 m^2.
//
// The sums of m neighbouring products of a filter are the transpose of multiplying two polynomials, of degrees 2 and
// m - 1, by their values at m + 1 points p and at infinity (Toom and Cook; Blahut, "Fast algorithms for signal
// processing", chapter 5). So with M(x) the product of all x - p, and M_p(x) the product without p's own factor:
//   A^T   column p: p^0 .. p^(m - 1);                     infinity: the last row alone
//   B^T   row p: the coefficients of M_p(x);              infinity: those of M(x)
//   G     row p: (p^0, p^1, p^2) / M_p(p);                infinity: (0, 0, 1)
// m = 2: points 0, 1, -1, whose signs are moved about so that B^T has only 1 and -1: Lavin and Gray, "Fast algorithms
// for convolutional neural networks" (CVPR 2016), section 4.1.
// m = 4: points 0, a, -a, b, -b for a = 3/4 and b = 3/2, the 0, 1, -1, 2, -2 of Lavin and Gray made smaller. Errors
// grow with the spread of the powers of the points (Barabasz et al., "Error analysis and improving the accuracy of
// Winograd convolution for deep neural networks", 2020): these have half the error, and all of A and B is exact in
// floats.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// One half of each transform, S being a simd of the arithmetic: from as many values to as many as the arrays have.
template <std::size_t Tile>
struct winograd_transforms;

template <>
struct winograd_transforms<2> {
  /// G g
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void filter(const Vec (&g)[3], Vec (&u)[4]) noexcept {
    using element = typename S::element;
    const Vec outer = S::add(g[0], g[2]), half = S::set(element{1} / 2);
    u[0] = g[0];
    u[1] = S::mul(S::add(outer, g[1]), half);
    u[2] = S::mul(S::sub(outer, g[1]), half);
    u[3] = g[2];
  }
  /// B^T x
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input(const Vec (&x)[4], Vec (&v)[4]) noexcept {
    v[0] = S::sub(x[0], x[2]);
    v[1] = S::add(x[1], x[2]);
    v[2] = S::sub(x[2], x[1]);
    v[3] = S::sub(x[1], x[3]);
  }
  /// A^T m
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void output(const Vec (&m)[4], Vec (&y)[2]) noexcept {
    y[0] = S::add(S::add(m[0], m[1]), m[2]);
    y[1] = S::sub(S::sub(m[1], m[2]), m[3]);
  }
};

/// The points of m = 4 and their squares; M_p(p) of 0, a or -a, b or -b.
template <class T>
struct winograd_points {
  static constexpr T a = T{3} / 4, b = T{3} / 2, a2 = a * a, b2 = b * b;
  static constexpr T at_zero = a2 * b2, at_a = 2 * a2 * (a2 - b2), at_b = 2 * b2 * (b2 - a2);
};

template <>
struct winograd_transforms<4> {
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void filter(const Vec (&g)[3], Vec (&u)[6]) noexcept {
    using p = winograd_points<typename S::element>;
    u[0] = S::mul(g[0], S::set(1 / p::at_zero));
    filter_pair<S>(g, 1 / p::at_a, p::a / p::at_a, p::a2 / p::at_a, u[1], u[2]);
    filter_pair<S>(g, 1 / p::at_b, p::b / p::at_b, p::b2 / p::at_b, u[3], u[4]);
    u[5] = g[2];
  }
  /// M_a = x (x + a) (x^2 - b^2), and so on.
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input(const Vec (&x)[6], Vec (&v)[6]) noexcept {
    using p = winograd_points<typename S::element>;
    const Vec sum = S::set(p::a2 + p::b2), product = S::set(p::a2 * p::b2);
    v[0] = S::fma(product, x[0], S::fnma(sum, x[2], x[4]));
    input_pair<S>(x, p::a, p::b2, v[1], v[2]);
    input_pair<S>(x, p::b, p::a2, v[3], v[4]);
    v[5] = S::fma(product, x[1], S::fnma(sum, x[3], x[5]));
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void output(const Vec (&m)[6], Vec (&y)[4]) noexcept {
    using p = winograd_points<typename S::element>;
    const Vec sum_a = S::add(m[1], m[2]), sum_b = S::add(m[3], m[4]);
    const Vec difference_a = S::sub(m[1], m[2]), difference_b = S::sub(m[3], m[4]);
    y[0] = S::add(m[0], S::add(sum_a, sum_b));
    y[1] = S::fma(S::set(p::b), difference_b, S::mul(S::set(p::a), difference_a));
    y[2] = S::fma(S::set(p::b2), sum_b, S::mul(S::set(p::a2), sum_a));
    y[3] = S::fma(S::set(p::b2 * p::b), difference_b, S::fma(S::set(p::a2 * p::a), difference_a, m[5]));
  }

 private:
  /// The rows of p and -p.
  template <class S, class T, class Vec>
  static BITPQ_FORCE_INLINE void filter_pair(const Vec (&g)[3], T zeroth, T first, T second, Vec& plus,
                                             Vec& minus) noexcept {
    const Vec even = S::fma(S::set(second), g[2], S::mul(S::set(zeroth), g[0]));
    plus = S::fma(S::set(first), g[1], even);
    minus = S::fnma(S::set(first), g[1], even);
  }
  /// The rows of p and -p, `square` that of the other pair.
  template <class S, class T, class Vec>
  static BITPQ_FORCE_INLINE void input_pair(const Vec (&x)[6], T p, T square, Vec& plus, Vec& minus) noexcept {
    const Vec even = S::fnma(S::set(square), x[2], x[4]), odd = S::fnma(S::set(square), x[1], x[3]);
    plus = S::fma(S::set(p), odd, even);
    minus = S::fnma(S::set(p), odd, even);
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
