// SPDX-License-Identifier: Apache-2.0

// Layers for LibTorch: outputs and gradients on codes and on decoded weights against LibTorch's autograd in double
// precision and finite differences; states; what runs is what is stored.

#include <bitpq/interop/torch/conv2d.hpp>
#include <bitpq/interop/torch/linear.hpp>

#include "support/bad_inputs.hpp"
#include "support/executor_checks.hpp"
#include "support/training_layers.hpp"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

namespace {

namespace pq = bitpq::torch;
using bitpq::errc;
using bitpq_test::pass;
using bitpq_test::subject;
using bitpq_test::subjects;

std::int64_t signed_size(std::size_t n) { return static_cast<std::int64_t>(n); }

at::Tensor tensor_of(const std::vector<float>& values, const std::vector<std::int64_t>& sizes) {
  return at::from_blob(const_cast<float*>(values.data()), sizes, at::kFloat).clone();
}

std::vector<double> values_of(const at::Tensor& t) {
  const at::Tensor all = t.detach().to(at::kDouble).contiguous();
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

double error(const at::Tensor& got, const at::Tensor& want) {
  return bitpq_test::relative_error(values_of(got), values_of(want));
}

torch::nn::Conv2dOptions options_of(const bitpq::layer_geometry& g, bool bias) {
  const auto pair = [](bitpq::extent2 e) { return torch::ExpandingArray<2>({signed_size(e.h), signed_size(e.w)}); };
  return torch::nn::Conv2dOptions(signed_size(g.in_channels), signed_size(g.out_channels), pair(g.kernel))
      .stride(pair(g.conv.stride))
      .padding(pair(g.conv.padding))
      .dilation(pair(g.conv.dilation))
      .groups(signed_size(g.groups()))
      .bias(bias);
}

/// A layer with its input and the gradient of its output as tensors.
struct tensor_pass {
  pass<float> p;
  at::Tensor x, dy;
  std::shared_ptr<pq::linear_impl> linear;
  std::shared_ptr<pq::conv2d_impl> conv;

  explicit tensor_pass(const subject& s, bool bias = true) : p(s) {
    const bitpq::layer_geometry& g = s.geometry;
    const std::int64_t n = signed_size(s.batch), in = signed_size(g.in_channels), out = signed_size(g.out_channels);
    if (p.linear()) {
      linear = std::make_shared<pq::linear_impl>(torch::nn::LinearOptions(in, out).bias(bias));
      x = tensor_of(p.x, {n, in});
      dy = tensor_of(p.dy, {n, out});
    } else {
      conv = std::make_shared<pq::conv2d_impl>(options_of(g, bias));
      x = tensor_of(p.x, {n, in, signed_size(s.image.h), signed_size(s.image.w)});
      dy = tensor_of(p.dy, {n, out, signed_size(p.out.h), signed_size(p.out.w)});
    }
  }

  [[nodiscard]] pq::compressible& layer() const {
    return linear ? static_cast<pq::compressible&>(*linear) : static_cast<pq::compressible&>(*conv);
  }
  [[nodiscard]] torch::nn::Module& module() const {
    return linear ? static_cast<torch::nn::Module&>(*linear) : static_cast<torch::nn::Module&>(*conv);
  }
  [[nodiscard]] at::Tensor bias() const { return linear ? linear->bias : conv->bias; }
  at::Tensor forward(const at::Tensor& input) const { return linear ? linear->forward(input) : conv->forward(input); }

  /// By LibTorch in double precision, of the weights as they are decoded.
  [[nodiscard]] at::Tensor exact(const at::Tensor& input, const at::Tensor& weight) const {
    const bitpq::layer_geometry& g = p.s.geometry;
    const at::Tensor added = bias().defined() ? bias().detach().to(at::kDouble) : at::Tensor();
    if (p.linear()) return at::linear(input, weight, added);
    const auto pair = [](bitpq::extent2 e) { return std::vector<std::int64_t>{signed_size(e.h), signed_size(e.w)}; };
    return at::conv2d(input, weight, added, pair(g.conv.stride), pair(g.conv.padding), pair(g.conv.dilation),
                      signed_size(g.groups()));
  }
};

/// A small network of two layers and something between.
struct small_net : torch::nn::Cloneable<small_net> {
  small_net() { reset(); }
  void reset() override {
    conv = register_module("conv", pq::conv2d(torch::nn::Conv2dOptions(3, 8, 3).padding(1)));
    head = register_module("head", pq::linear(8, 5));
  }
  at::Tensor forward(const at::Tensor& x) { return head(conv(x).relu().mean({2, 3})); }
  pq::conv2d conv{nullptr};
  pq::linear head{nullptr};
};

bitpq::pq_params some_params() {
  bitpq::pq_params params;
  params.codewords = 8;
  params.max_iterations = 5;
  params.metric = bitpq::pq_metric::weights;
  return params;
}

}  // namespace

static_assert(bitpq::executor<pq::at_executor>);

TEST_CASE("LibTorch's threads run each task once and hand an exception back") {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    INFO(threads << " threads");
    at::set_num_threads(threads);
    CHECK(pq::at_executor::concurrency() == static_cast<std::size_t>(threads));
    bitpq_test::check_tasks(pq::at_executor{});
    bitpq_test::check_exceptions(pq::at_executor{});
    bitpq_test::check_same_bits(pq::at_executor{});
  }
  at::set_num_threads(before);
}

TEST_CASE("outputs and gradients of compressed layers are those of the decoded weights") {
  for (const subject& s : subjects())
    for (const pq::arithmetic how : {pq::arithmetic::codes, pq::arithmetic::dense, pq::arithmetic::automatic}) {
      INFO(s.name << ", arithmetic " << static_cast<int>(how));
      const tensor_pass t(s);
      t.layer().set_codes(t.p.w);
      t.layer().set_arithmetic(how);
      const at::Tensor x = t.x.clone().requires_grad_();
      const at::Tensor y = t.forward(x);
      y.backward(t.dy);

      const at::Tensor exact_x = t.x.to(at::kDouble).requires_grad_();
      const at::Tensor exact_y = t.exact(exact_x, t.layer().dense_weight().to(at::kDouble));
      exact_y.backward(t.dy.to(at::kDouble));
      CHECK(error(y, exact_y) < 1e-5);
      CHECK(error(x.grad(), exact_x.grad()) < 1e-5);
      const at::Tensor sums = t.p.linear() ? t.dy.sum(0) : t.dy.sum({0, 2, 3});
      CHECK(error(t.bias().grad(), sums) < 1e-6);
    }
}

TEST_CASE("gradients of codebooks agree with finite differences") {
  for (const subject& s : subjects())
    for (const pq::arithmetic how : {pq::arithmetic::codes, pq::arithmetic::dense}) {
      INFO(s.name << ", arithmetic " << static_cast<int>(how));
      const tensor_pass t(s, false);
      t.layer().set_codes(t.p.w);
      t.layer().set_arithmetic(how);
      t.forward(t.x).backward(t.dy);
      const std::vector<double> gradient = values_of(t.layer().codebook.grad());
      double largest = 0;
      for (const double value : gradient) largest = std::max(largest, std::abs(value));
      std::vector<double> words(t.p.w.book().values().begin(), t.p.w.book().values().end());
      const bitpq::random_stream random(2);
      for (std::size_t draw = 0; draw < 6; ++draw) {
        const std::size_t i = random.below(draw, words.size());
        const double was = words[i];
        words[i] = was + 0.5;
        const double above = t.p.loss(words);
        words[i] = was - 0.5;
        CHECK(gradient[i] == Approx(above - t.p.loss(words)).epsilon(1e-4).margin(1e-5 * largest));
        words[i] = was;
      }
    }
}

TEST_CASE("gradients pass a layer whose codebook is frozen, and stop at inputs that ask for none") {
  const tensor_pass t(subjects()[5]);
  t.layer().set_codes(t.p.w);
  t.layer().codebook.set_requires_grad(false);
  const at::Tensor x = t.x.clone().requires_grad_();
  t.forward(x).backward(t.dy);
  CHECK(x.grad().defined());
  CHECK_FALSE(t.layer().codebook.grad().defined());
}

TEST_CASE("a compressed layer runs and stores the same codewords, and its gradient passes straight through") {
  for (const bitpq::codeword_type type : {bitpq::codeword_type::f16, bitpq::codeword_type::i8}) {
    INFO(to_string(type));
    const subject s = subjects()[0];
    const tensor_pass t(s, false);
    t.layer().set_codes(bitpq_test::random_pq<float>(s.format, 9, type, true));
    torch::optim::SGD optimizer({t.layer().codebook}, torch::optim::SGDOptions(0.003));
    t.forward(t.x).backward(t.dy);
    const at::Tensor before = t.layer().codebook.detach().clone();
    optimizer.step();
    CHECK(error(t.layer().codebook, before - 0.003 * t.layer().codebook.grad()) < 1e-6);  // unrounded
    const bitpq::pq_matrix<float> stored = t.layer().codes();
    CHECK(stored.book().type() == type);
    t.module().eval();
    const at::NoGradGuard no_grad;
    const at::Tensor y = t.forward(t.x);
    const at::Tensor weight = tensor_of(bitpq_test::decoded(stored), {40, 30});
    CHECK(error(y, t.exact(t.x.to(at::kDouble), weight.to(at::kDouble))) < 1e-5);
  }
}

TEST_CASE("evaluation sees what an optimiser wrote") {
  const tensor_pass t(subjects()[5]);
  t.layer().set_codes(t.p.w);
  torch::optim::Adam optimizer(t.module().parameters(), torch::optim::AdamOptions(0.05));
  t.forward(t.x).backward(t.dy);
  t.module().eval();
  const at::NoGradGuard no_grad;
  const at::Tensor y = t.forward(t.x);
  optimizer.step();
  CHECK_FALSE(t.forward(t.x).equal(y));
  CHECK(error(t.forward(t.x), t.exact(t.x.to(at::kDouble), t.layer().dense_weight().to(at::kDouble))) < 1e-5);
}

TEST_CASE("outputs and gradients on codes are the same bits on any number of threads") {
  const int before = at::get_num_threads();
  const tensor_pass t(subjects()[5]);
  t.layer().set_codes(t.p.w);
  t.layer().set_arithmetic(pq::arithmetic::codes);
  std::vector<at::Tensor> outputs, gradients;
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    outputs.push_back(t.forward(t.x));
    outputs.back().backward(t.dy);
    gradients.push_back(t.layer().codebook.grad().clone());
    t.layer().codebook.grad().zero_();
  }
  at::set_num_threads(before);
  CHECK(outputs[0].equal(outputs[1]));
  CHECK(gradients[0].equal(gradients[1]));
}

TEST_CASE("an observing layer computes what a dense one does and collects its inputs' moments") {
  torch::manual_seed(1);
  for (const std::size_t which : {0U, 5U, 7U}) {
    const tensor_pass t(subjects()[which]);
    const at::Tensor dense = t.forward(t.x);
    t.layer().observe();
    CHECK(t.layer().state() == pq::layer_state::observing);
    CHECK(t.forward(t.x).equal(dense));
    bitpq::gram_accumulator want(t.p.s.geometry);
    if (t.p.linear())
      want.add(bitpq::matrix_view<const float>(t.p.x.data(), t.p.s.batch, t.p.w.cols()).transposed());
    else
      want.add(t.p.inputs());
    CHECK(bitpq_test::same_moments(t.layer().moments(), want.finish()));

    bitpq::pq_params params = some_params();
    params.metric = bitpq::pq_metric::gram;
    const bitpq::importance h = t.layer().moments();
    const at::Tensor weight = t.layer().dense_weight();
    const auto expected =
        bitpq::compress<float>(t.p.s.geometry, {weight.data_ptr<float>(), t.p.w.rows(), t.p.w.cols()}, &h, params);
    const bitpq::layer_report report = t.layer().compress(params);
    CHECK(report.output_error == expected.report.output_error);
    CHECK(bitpq_test::same_weights(t.layer().codes(), expected.weights));
    CHECK(t.module().named_parameters().contains("codebook"));
    CHECK_FALSE(t.module().named_parameters().contains("weight"));
  }
}

TEST_CASE("with a teacher a layer compresses what makes the teacher's outputs of its own inputs") {
  torch::manual_seed(2);
  const tensor_pass teacher(subjects()[0]), student(subjects()[0]);
  student.layer().set_weight(teacher.layer().dense_weight());
  student.layer().observe(bitpq::all_columns, teacher.linear);
  const at::Tensor shifted = student.x + 0.3 * at::randn_like(student.x);
  teacher.forward(student.x);
  student.forward(shifted);
  bitpq_test::expect_error(errc::bad_shape, "a batch goes through the teacher first, then through the student",
                           [&] { student.forward(shifted); });
  bitpq::pq_params params = some_params();
  params.codewords = 40;  // one for each row: nothing is lost
  params.block_size = 30;
  params.limit = bitpq::cluster_limit::points;
  params.storage = bitpq::codeword_type::f32;
  student.layer().compress(params, 1e-6);
  const at::Tensor wanted = at::linear(student.x, teacher.layer().dense_weight());
  const auto off = [&](const at::Tensor& weight) {
    return (at::linear(shifted, weight) - wanted).norm().item<double>();
  };
  CHECK(off(student.layer().dense_weight()) < 0.5 * off(teacher.layer().dense_weight()));
}

TEST_CASE("a network is cloned with its codes, and goes back to dense weights") {
  torch::manual_seed(3);
  small_net net;
  const at::Tensor x = at::randn({2, 3, 6, 6});
  net.conv->compress(some_params());
  net.head->compress(some_params());
  CHECK(net.named_parameters().size() == 4);
  net.eval();
  const at::NoGradGuard no_grad;
  const at::Tensor y = net.forward(x);
  const auto copy = std::dynamic_pointer_cast<small_net>(net.clone());
  REQUIRE(copy != nullptr);
  CHECK(copy->conv->compressed());
  CHECK(copy->forward(x).equal(y));
  net.conv->codebook.mul_(2);
  CHECK_FALSE(net.forward(x).equal(y));
  CHECK(copy->forward(x).equal(y));
  copy->conv->set_weight(copy->conv->dense_weight());
  CHECK(copy->conv->state() == pq::layer_state::dense);
  CHECK(error(copy->forward(x), y) < 1e-5);
  CHECK(copy->named_parameters().contains("conv.weight"));
}

TEST_CASE("options, dimensions and paddings are torch::nn's") {
  torch::manual_seed(4);
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::randn({2, 4, 7, 9});
  const std::vector<torch::nn::Conv2dOptions> all = {
      torch::nn::Conv2dOptions(4, 6, 3).padding(1).padding_mode(torch::kReflect),
      torch::nn::Conv2dOptions(4, 6, {3, 5}).padding({1, 2}).padding_mode(torch::kCircular).bias(false),
      torch::nn::Conv2dOptions(4, 6, 2).padding(torch::kSame),
      torch::nn::Conv2dOptions(4, 6, 3).padding(torch::kSame).dilation(2).groups(2),
      torch::nn::Conv2dOptions(4, 6, 3).padding(torch::kValid).stride(2)};
  for (const torch::nn::Conv2dOptions& options : all) {
    torch::nn::Conv2d theirs(options);
    pq::conv2d ours(options);
    ours->set_weight(theirs->weight);
    if (options.bias()) ours->bias.copy_(theirs->bias);
    CHECK(error(ours(x), theirs(x)) < 1e-6);
    CHECK(error(ours(x[0]), theirs(x)[0]) < 1e-5);
    ours->compress(some_params());
    theirs->weight.copy_(ours->dense_weight());
    ours->eval();
    CHECK(error(ours(x), theirs(x)) < 1e-5);
    CHECK(error(ours(x.contiguous(at::MemoryFormat::ChannelsLast)), theirs(x)) < 1e-5);
  }
  torch::nn::Sequential tokens(pq::linear(9, 5), torch::nn::ReLU());
  CHECK(tokens->forward(x).sizes() == at::IntArrayRef({2, 4, 7, 5}));
  tokens[0]->as<pq::linear>()->compress(some_params());
  CHECK(tokens->forward(x).sizes() == at::IntArrayRef({2, 4, 7, 5}));
}

TEST_CASE("layers refuse what they cannot do and stay as they were") {
  const tensor_pass t(subjects()[0]);
  const at::Tensor y = t.forward(t.x);
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "input of 31 features for a layer of 30",
       [&] {
         t.forward(at::zeros({2, 31}));
       }},
      {errc::bad_params, "a layer that is dense has no codes", [&] { static_cast<void>(t.layer().codes()); }},
      {errc::bad_params, "a layer that is dense has no moments", [&] { static_cast<void>(t.layer().moments()); }},
      {errc::bad_shape, "codes of 5 x 12 weights for a layer of 40 x 30",
       [&] {
         t.layer().set_codes(bitpq_test::random_pq<float>({5, 12, 3, 4}, 1));
       }},
      {errc::bad_shape, "weights of 900 elements for a layer of 40 x 30",
       [&] {
         t.layer().set_weight(at::zeros({30, 30}));
       }},
      {errc::unsupported, "weight: a tensor of Double on cpu; bitpq computes with float on the CPU",
       [&] {
         t.layer().set_weight(at::zeros({40, 30}, at::kDouble));
       }},
  });
  CHECK(t.forward(t.x).equal(y));
  t.layer().set_codes(t.p.w);
  const at::Tensor coded = t.forward(t.x);
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "a compressed layer cannot be observed", [&] { t.layer().observe(); }},
      {errc::bad_params, "the layer is compressed already", [&] { t.layer().compress(some_params()); }},
      {errc::unsupported, "input: a tensor of Double on cpu; bitpq computes with float on the CPU",
       [&] { t.forward(t.x.to(at::kDouble)); }},
      {errc::unsupported, "a compressed layer is saved by bitpq::torch::save_module",
       [&] {
         torch::serialize::OutputArchive archive;
         t.module().save(archive);
       }},
  });
  CHECK(t.forward(t.x).equal(coded));
  const at::NoGradGuard no_grad;
  t.layer().codebook.data_ptr<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  bitpq_test::expect_error(errc::non_finite, "codebook holds nan at 3", [&] { t.forward(t.x); });
}
