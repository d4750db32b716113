// SPDX-License-Identifier: Apache-2.0

#include "engine/onednn_network.hpp"

#include "engine/memory_plan.hpp"

#include <oneapi/dnnl/dnnl.hpp>

#include <chrono>
#include <unordered_map>

namespace engine {

namespace {

using dnnl::memory;
using tag = memory::format_tag;

memory::dims dims(std::initializer_list<std::size_t> sizes) { return {sizes.begin(), sizes.end()}; }
memory::dims dims_of(const tensor_shape& s) { return dims({s.n, s.c, s.h, s.w}); }
memory::desc floats(const memory::dims& sizes, tag layout) { return {sizes, memory::data_type::f32, layout}; }

struct call {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> operands;
};

/// What one step of the graph comes to: a primitive, perhaps after reorders of its inputs.
struct step {
  std::vector<call> calls;
  std::string implementation;
};

bool has_concat(const graph& structure) {
  return std::any_of(structure.nodes.begin(), structure.nodes.end(),
                     [](const node& n) { return n.type == node::kind::concat; });
}

}  // namespace

class onednn_network::network_on_onednn {
 public:
  network_on_onednn(const graph& structure, const weights_source& weights_of, const tensor_shape& input)
      : plan_(structure, input), shares_(!has_concat(structure)), block_(shares_ ? plan_.size() : 0) {
    tensors_.push_back(place(0, floats(dims_of(input), tag::nchw)));
    for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
      const node& n = structure.nodes[i];
      steps_.emplace_back();
      switch (n.type) {
        case node::kind::layer: add_layer(n, i + 1, weights_of(n)); break;
        case node::kind::max_pool: add_pool(n, i + 1, dnnl::algorithm::pooling_max); break;
        case node::kind::global_average_pool: add_pool(n, i + 1, dnnl::algorithm::pooling_avg_exclude_padding); break;
        case node::kind::concat: add_concat(n, i + 1); break;
      }
    }
    const tensor_shape& out = plan_[structure.nodes.size()].shape;
    const memory::dims sizes = tensors_.back().get_desc().dims();
    result_ = memory(floats(sizes, sizes.size() == 2 ? tag::nc : tag::nchw), engine_);
    result_size_ = out.size();
    reorder(to_result_, tensors_.back(), result_);
  }

  [[nodiscard]] float* input() noexcept { return static_cast<float*>(tensors_[0].get_data_handle()); }

  [[nodiscard]] const std::vector<step>& steps() const noexcept { return steps_; }

  void run(const step& s) {
    for (const call& c : s.calls) c.primitive.execute(stream_, c.operands);
    stream_.wait();
  }

  std::span<const float> output() {
    run(to_result_);
    return {static_cast<const float*>(result_.get_data_handle()), result_size_};
  }

  [[nodiscard]] std::size_t weight_bytes() const noexcept { return weight_bytes_; }
  [[nodiscard]] std::size_t activation_bytes() const noexcept { return block_.size() * sizeof(float) + beside_; }

 private:
  /// Memory for tensor t: its place in the plan, if that layout fits there.
  memory place(std::size_t t, const memory::desc& layout) {
    if (shares_ && layout.get_size() <= plan_[t].shape.size() * sizeof(float))
      return {layout, engine_, block_.data() + plan_[t].offset};
    beside_ += layout.get_size();
    return {layout, engine_};
  }

  static void reorder(step& in, memory& from, memory& to) {
    in.calls.push_back({dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}});
  }

  /// The tensor in that layout, moved there by a call of its own if it is in another.
  memory in_layout(step& in, memory from, const memory::desc& wanted) {
    if (from.get_desc() == wanted) return from;
    memory to(wanted, engine_);
    beside_ += wanted.get_size();
    reorder(in, from, to);
    return to;
  }

  /// Weights moved into the layout that a primitive asks for.
  memory weights_in(const std::vector<float>& values, const memory::desc& plain, const memory::desc& wanted) {
    std::vector<float> copy = values;
    memory from(plain, engine_, copy.data()), to(wanted, engine_);
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
    return to;
  }

  memory counted(memory weights) noexcept {
    weight_bytes_ += weights.get_desc().get_size();
    return weights;
  }

  template <class Descriptor>
  static void add(step& to, const Descriptor& d, dnnl::primitive primitive, std::unordered_map<int, memory> operands) {
    to.calls.push_back({std::move(primitive), std::move(operands)});
    to.implementation = d.impl_info_str();
  }

  void add_layer(const node& n, std::size_t made, const layer_weights& weights) {
    if (n.geometry.type == bitpq::layer_geometry::kind::linear)
      add_linear(n, made, weights);
    else
      add_convolution(n, made, weights);
  }

  void add_linear(const node& n, std::size_t made, const layer_weights& weights) {
    const bitpq::layer_geometry& g = n.geometry;
    const tensor_shape& x = plan_[n.inputs[0]].shape;
    const memory::dims shape = dims({g.out_channels, g.in_channels, 1, 1}), bias = dims({g.out_channels});
    const dnnl::inner_product_forward::primitive_desc d(
        {dnnl::prop_kind::forward_inference, floats(dims_of(x), tag::any), floats(shape, tag::any),
         floats(bias, tag::x), floats(dims({x.n, g.out_channels}), tag::any)},
        engine_);
    const memory from = in_layout(steps_.back(), tensors_[n.inputs[0]], d.src_desc());
    tensors_.push_back(place(made, d.dst_desc()));
    add(steps_.back(), d, dnnl::inner_product_forward(d),
        {{DNNL_ARG_SRC, from},
         {DNNL_ARG_WEIGHTS, counted(weights_in(dense_values(weights), floats(shape, tag::oihw), d.weights_desc()))},
         {DNNL_ARG_BIAS, counted(weights_in(weights.bias, floats(bias, tag::x), floats(bias, tag::x)))},
         {DNNL_ARG_DST, tensors_.back()}});
  }

  using convolution = dnnl::convolution_forward::primitive_desc;

  [[nodiscard]] convolution describe(const node& n, std::size_t made, dnnl::algorithm algorithm,
                                     const memory::desc& result) const {
    const bitpq::layer_geometry& g = n.geometry;
    dnnl::post_ops fused;
    if (n.inputs.size() > 1) fused.append_sum(1);
    if (n.relu) fused.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(fused);
    const memory::dims strides = dims({g.conv.stride.h, g.conv.stride.w}),
                       padding = dims({g.conv.padding.h, g.conv.padding.w});
    return {{dnnl::prop_kind::forward_inference, algorithm, floats(dims_of(plan_[n.inputs[0]].shape), tag::any),
             floats(dims({g.out_channels, g.in_channels, g.kernel.h, g.kernel.w}), tag::any),
             floats(dims({g.out_channels}), tag::x),
             n.inputs.size() > 1 ? result : floats(dims_of(plan_[made].shape), tag::any), strides, padding, padding},
            attributes,
            engine_};
  }

  /// By the faster algorithm. The residual is where the sums go.
  void add_convolution(const node& n, std::size_t made, const layer_weights& weights) {
    const bitpq::layer_geometry& g = n.geometry;
    const std::vector<float> values = dense_values(weights);
    const memory::desc plain = floats(dims({g.out_channels, g.in_channels, g.kernel.h, g.kernel.w}), tag::oihw);
    const memory::desc row = floats(dims({g.out_channels}), tag::x);
    const memory residual = n.inputs.size() > 1 ? tensors_[n.inputs[1]] : memory();
    const memory::desc result = n.inputs.size() > 1 ? residual.get_desc() : memory::desc();
    const memory bias = counted(weights_in(weights.bias, row, row));
    double least = 0;
    memory output, kept;
    for (const dnnl::algorithm algorithm : {dnnl::algorithm::convolution_direct, dnnl::algorithm::convolution_auto}) {
      const convolution d = describe(n, made, algorithm, result);
      step tried;
      const memory from = in_layout(tried, tensors_[n.inputs[0]], d.src_desc());
      const memory to = n.inputs.size() > 1 ? residual : place(made, d.dst_desc());
      const memory prepared = weights_in(values, plain, d.weights_desc());
      add(tried, d, dnnl::convolution_forward(d),
          {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, prepared}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, to}});
      const double time = time_of(tried);
      if (steps_.back().calls.empty() || time < least) {
        least = time;
        steps_.back() = std::move(tried);
        output = to;
        kept = prepared;
      }
    }
    static_cast<void>(counted(kept));
    tensors_.push_back(output);
  }

  /// Seconds: the least of a few runs, the first of which does not count.
  double time_of(const step& s) {
    double least = 1e9;
    for (int i = 0; i < 8; ++i) {
      const auto start = std::chrono::steady_clock::now();
      run(s);
      const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (i > 0) least = std::min(least, time);
    }
    return least;
  }

  void add_pool(const node& n, std::size_t made, dnnl::algorithm algorithm) {
    const tensor_shape &x = plan_[n.inputs[0]].shape, &y = plan_[made].shape;
    const bool whole = n.type == node::kind::global_average_pool;
    const std::size_t height = whole ? x.h : n.window.size, width = whole ? x.w : n.window.size;
    const std::size_t stride = whole ? 1 : n.window.stride, padding = whole ? 0 : n.window.padding;
    // A last window may reach over the edge further than the first one.
    const auto behind = [&](std::size_t out, std::size_t window, std::size_t in) {
      return static_cast<memory::dim>((out - 1) * stride + window) - static_cast<memory::dim>(in + padding);
    };
    const memory from = tensors_[n.inputs[0]];
    const dnnl::pooling_forward::primitive_desc d(
        {dnnl::prop_kind::forward_inference, algorithm, from.get_desc(), floats(dims_of(y), tag::any),
         dims({stride, stride}), dims({height, width}), dims({padding, padding}),
         memory::dims{behind(y.h, height, x.h), behind(y.w, width, x.w)}},
        engine_);
    tensors_.push_back(place(made, d.dst_desc()));
    add(steps_.back(), d, dnnl::pooling_forward(d), {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, tensors_.back()}});
  }

  void add_concat(const node& n, std::size_t made) {
    const memory a = tensors_[n.inputs[0]], b = tensors_[n.inputs[1]];
    const dnnl::concat::primitive_desc d(1, {a.get_desc(), b.get_desc()}, engine_);
    tensors_.push_back(place(made, d.dst_desc()));
    add(steps_.back(), d, dnnl::concat(d),
        {{DNNL_ARG_MULTIPLE_SRC, a}, {DNNL_ARG_MULTIPLE_SRC + 1, b}, {DNNL_ARG_DST, tensors_.back()}});
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  memory_plan plan_;
  bool shares_;
  bitpq::aligned_buffer<float> block_;
  std::vector<memory> tensors_;  // by number
  std::vector<step> steps_;      // as the graph has them
  step to_result_;
  memory result_;
  std::size_t result_size_ = 0, weight_bytes_ = 0, beside_ = 0;
};

onednn_network::onednn_network(const graph& structure, const weights_source& weights_of, const tensor_shape& input)
    : network_(std::make_unique<network_on_onednn>(structure, weights_of, input)) {}
onednn_network::~onednn_network() = default;
float* onednn_network::input() noexcept { return network_->input(); }
std::span<const float> onednn_network::run() {
  for (std::size_t i = 0; i < steps(); ++i) run_step(i);
  return output();
}
std::size_t onednn_network::steps() const noexcept { return network_->steps().size(); }
void onednn_network::run_step(std::size_t i) { network_->run(network_->steps()[i]); }
std::span<const float> onednn_network::output() { return network_->output(); }
std::string onednn_network::implementation(std::size_t i) const { return network_->steps()[i].implementation; }
std::size_t onednn_network::weight_bytes() const noexcept { return network_->weight_bytes(); }
std::size_t onednn_network::activation_bytes() const noexcept { return network_->activation_bytes(); }

}  // namespace engine
