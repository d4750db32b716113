// SPDX-License-Identifier: Apache-2.0
#pragma once

// The matrices of Winograd's minimal filtering F(m x m, 3 x 3) for m of 2 and 4, one dimension at a time. A tile of
// m x m outputs is A^T [(G g G^T) * (B^T x B)] A, of a tile x of (m + 2) x (m + 2) inputs and a filter g: (m + 2)^2
// multiplications instead of 9 m^2.
//
// The sums of m neighbouring products of a filter of r taps are the transpose of multiplying two polynomials, of
// degrees r - 1 and m - 1, by their values at m + r - 2 points p and at infinity (Toom and Cook; Blahut, "Fast
// algorithms for signal processing", chapter 5). So with M(x) the product of all x - p, and M_p(x) the product without
// p's own factor:
//   A^T   column p: p^0 .. p^(m - 1);                     infinity: the last row alone
//   B^T   row p: the coefficients of M_p(x);              infinity: those of M(x)
//   G     row p: (p^0, .., p^(r - 1)) / M_p(p);           infinity: (0, .., 0, 1)
// m = 2: points 0, 1, -1, whose signs are moved about so that B^T has only 1 and -1: Lavin and Gray, "Fast algorithms
// for convolutional neural networks" (CVPR 2016), section 4.1.
// m = 4: points 0, a, -a, b, -b for a = 3/4 and b = 3/2, the 0, 1, -1, 2, -2 of Lavin and Gray made smaller. Errors
// grow with the spread of the powers of the points (Barabasz et al., "Error analysis and improving the accuracy of
// Winograd convolution for deep neural networks", 2020): these have half the error, and all of A and B is exact in
// floats.
//
// By a stride of 2 the outputs of a tile see 2 m + 1 inputs, of which the outer taps meet the m + 1 even ones and the
// middle tap the m odd ones. The even ones are a filter of two taps by a stride of 1; the odd ones are multiplied as
// they are, all by the same value: 2 m + 1 multiplications instead of 3 m, of m + 2 values of a filter. The even values
// come first, then the odd ones, which add to the outputs one by one.
// m = 2: points 0 and 1, signs moved about.
// m = 4: points a, -a, b, -b for a = 1/2 and b = 3/2, again exact in A and B.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// One half of each transform, S being a simd of the arithmetic: from as many values to as many as the arrays have.
template <std::size_t Tile, std::size_t Stride>
struct winograd_transforms;

template <>
struct winograd_transforms<2, 1> {
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

template <>
struct winograd_transforms<2, 2> {
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void filter(const Vec (&g)[3], Vec (&u)[4]) noexcept {
    u[0] = g[0];
    u[1] = S::add(g[0], g[2]);
    u[2] = g[2];
    u[3] = g[1];
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input(const Vec (&x)[5], Vec (&v)[5]) noexcept {
    v[0] = S::sub(x[0], x[2]);
    v[1] = x[2];
    v[2] = S::sub(x[4], x[2]);
    v[3] = x[1];
    v[4] = x[3];
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void output(const Vec (&m)[5], Vec (&y)[2]) noexcept {
    y[0] = S::add(S::add(m[0], m[1]), m[3]);
    y[1] = S::add(S::add(m[1], m[2]), m[4]);
  }
};

/// The points of m = 4 and their squares, and what both strides have in common: that points come in pairs of p and -p.
template <class T, std::size_t Stride>
struct winograd_points {
  static constexpr T a = Stride == 1 ? T{3} / 4 : T{1} / 2, b = T{3} / 2, a2 = a * a, b2 = b * b;

  /// (x^2 - a^2) (x^2 - b^2), of every second coefficient.
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE Vec input_last(const Vec& x0, const Vec& x2, const Vec& x4) noexcept {
    return S::fma(S::set(a2 * b2), x0, S::fnma(S::set(a2 + b2), x2, x4));
  }
  /// (x + p) (x^2 - square) and (x - p) (x^2 - square), `square` that of the other pair.
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input_pair(const Vec* x, T p, T square, Vec& plus, Vec& minus) noexcept {
    const Vec own = S::fnma(S::set(square), x[1], x[3]), turned = S::fnma(S::set(square), x[0], x[2]);
    plus = S::fma(S::set(p), turned, own);
    minus = S::fnma(S::set(p), turned, own);
  }
  /// y[i] += the sum over the pairs m of a, -a, b and -b of p^i m.
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void add_pairs(const Vec* m, Vec (&y)[4]) noexcept {
    const Vec sum_a = S::add(m[0], m[1]), sum_b = S::add(m[2], m[3]);
    const Vec difference_a = S::sub(m[0], m[1]), difference_b = S::sub(m[2], m[3]);
    y[0] = S::add(y[0], S::add(sum_a, sum_b));
    y[1] = S::fma(S::set(b), difference_b, S::fma(S::set(a), difference_a, y[1]));
    y[2] = S::fma(S::set(b2), sum_b, S::fma(S::set(a2), sum_a, y[2]));
    y[3] = S::fma(S::set(b2 * b), difference_b, S::fma(S::set(a2 * a), difference_a, y[3]));
  }
};

template <>
struct winograd_transforms<4, 1> {
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void filter(const Vec (&g)[3], Vec (&u)[6]) noexcept {
    using p = winograd_points<typename S::element, 1>;
    u[0] = S::mul(g[0], S::set(1 / (p::a2 * p::b2)));
    filter_pair<S>(g, p::a, 2 * p::a2 * (p::a2 - p::b2), u[1], u[2]);
    filter_pair<S>(g, p::b, 2 * p::b2 * (p::b2 - p::a2), u[3], u[4]);
    u[5] = g[2];
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input(const Vec (&x)[6], Vec (&v)[6]) noexcept {
    using p = winograd_points<typename S::element, 1>;
    v[0] = p::template input_last<S>(x[0], x[2], x[4]);
    p::template input_pair<S>(x + 1, p::a, p::b2, v[1], v[2]);
    p::template input_pair<S>(x + 1, p::b, p::a2, v[3], v[4]);
    v[5] = p::template input_last<S>(x[1], x[3], x[5]);
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void output(const Vec (&m)[6], Vec (&y)[4]) noexcept {
    y[0] = m[0];
    y[1] = y[2] = S::set(0);
    y[3] = m[5];
    winograd_points<typename S::element, 1>::template add_pairs<S>(m + 1, y);
  }

 private:
  /// The rows of p and -p, M_p being the same number at both.
  template <class S, class T, class Vec>
  static BITPQ_FORCE_INLINE void filter_pair(const Vec (&g)[3], T p, T product, Vec& plus, Vec& minus) noexcept {
    const Vec even = S::fma(S::set(p * p / product), g[2], S::mul(S::set(1 / product), g[0]));
    plus = S::fma(S::set(p / product), g[1], even);
    minus = S::fnma(S::set(p / product), g[1], even);
  }
};

template <>
struct winograd_transforms<4, 2> {
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void filter(const Vec (&g)[3], Vec (&u)[6]) noexcept {
    using p = winograd_points<typename S::element, 2>;
    filter_pair<S>(g, p::a, 2 * p::a * (p::a2 - p::b2), u[0], u[1]);
    filter_pair<S>(g, p::b, 2 * p::b * (p::b2 - p::a2), u[2], u[3]);
    u[4] = g[2];
    u[5] = g[1];
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void input(const Vec (&x)[9], Vec (&v)[9]) noexcept {
    using p = winograd_points<typename S::element, 2>;
    const Vec even[4] = {x[0], x[2], x[4], x[6]};
    p::template input_pair<S>(even, p::a, p::b2, v[0], v[1]);
    p::template input_pair<S>(even, p::b, p::a2, v[2], v[3]);
    v[4] = p::template input_last<S>(x[0], x[4], x[8]);
    BITPQ_UNROLL
    for (std::size_t i = 0; i < 4; ++i) v[5 + i] = x[2 * i + 1];
  }
  template <class S, class Vec>
  static BITPQ_FORCE_INLINE void output(const Vec (&m)[9], Vec (&y)[4]) noexcept {
    BITPQ_UNROLL
    for (std::size_t i = 0; i < 4; ++i) y[i] = m[5 + i];
    y[3] = S::add(y[3], m[4]);
    winograd_points<typename S::element, 2>::template add_pairs<S>(m, y);
  }

 private:
  /// The rows of p and -p, M_p being one number at p and its opposite at -p.
  template <class S, class T, class Vec>
  static BITPQ_FORCE_INLINE void filter_pair(const Vec (&g)[3], T p, T product, Vec& plus, Vec& minus) noexcept {
    const Vec odd = S::mul(S::set(p / product), g[2]);
    plus = S::fma(S::set(1 / product), g[0], odd);
    minus = S::fnma(S::set(1 / product), g[0], odd);
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
