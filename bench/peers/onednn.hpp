// SPDX-License-Identifier: Apache-2.0
#pragma once

// oneDNN at its best: every layout left to it (`any`), operands reordered and primitives made before anything is timed.

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace bench {

using tag = dnnl::memory::format_tag;
using type = dnnl::memory::data_type;

inline dnnl::engine& onednn_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}
inline dnnl::stream& onednn_stream() {
  static dnnl::stream stream(onednn_engine());
  return stream;
}

/// Values moved into the layout that a primitive asks for.
template <class T>
dnnl::memory placed(const std::vector<T>& values, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted) {
  std::vector<T> copy = values;
  dnnl::memory from(plain, onednn_engine(), copy.data()), to(wanted, onednn_engine());
  dnnl::reorder(from, to).execute(onednn_stream(), from, to);
  onednn_stream().wait();
  return to;
}

/// The float values of `m` in a plain layout.
inline std::vector<float> values_of(dnnl::memory m, const dnnl::memory::desc& plain) {
  std::vector<float> values(plain.get_size() / sizeof(float));
  dnnl::memory to(plain, onednn_engine(), values.data());
  dnnl::reorder(m, to).execute(onednn_stream(), m, to);
  onednn_stream().wait();
  return values;
}

/// Values as multiples of a scale, -127 to 127.
struct quantized {
  std::vector<std::int8_t> values;
  float scale = 1;

  explicit quantized(const std::vector<float>& from) : values(from.size()) {
    float largest = 0;
    for (const float v : from) largest = std::max(largest, std::abs(v));
    scale = largest / 127;
    for (std::size_t i = 0; i < from.size(); ++i) values[i] = static_cast<std::int8_t>(std::lround(from[i] / scale));
  }
};

/// A primitive with its operands in place: a call, and where its result lies.
struct onednn_call {
  dnnl::primitive primitive;
  std::unordered_map<int, dnnl::memory> operands;
  std::string implementation;

  void operator()() const {
    primitive.execute(onednn_stream(), operands);
    onednn_stream().wait();
  }
  [[nodiscard]] dnnl::memory result() const { return operands.at(DNNL_ARG_DST); }
};

template <class Descriptor>
onednn_call prepared(const Descriptor& d, const dnnl::memory& source, const dnnl::memory& weights) {
  const dnnl::memory result(d.dst_desc(), onednn_engine());
  using primitive = std::conditional_t<std::is_same_v<Descriptor, dnnl::matmul::primitive_desc>, dnnl::matmul,
                                       dnnl::convolution_forward>;
  return {
      primitive(d), {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}}, d.impl_info_str()};
}

}  // namespace bench
