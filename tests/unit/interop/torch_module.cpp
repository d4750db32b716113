// SPDX-License-Identifier: Apache-2.0

// Networks of LibTorch as a whole: what their layers read, compress_module, files.

#include <bitpq/interop/torch.hpp>

#include "support/bad_inputs.hpp"
#include "support/random_pq.hpp"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>

namespace {

namespace pq = bitpq::torch;
using bitpq::errc;

/// Every kind of layer, with the layers of this library or LibTorch's.
template <class Conv, class Linear>
struct some_net : torch::nn::Module {
  some_net() {
    register_module("stem", stem);
    register_module("norm", norm);
    register_module("body", body);
    register_module("depthwise", depthwise);
    register_module("head", head);
  }
  at::Tensor forward(const at::Tensor& x) {
    at::Tensor y = norm(stem(x)).relu();
    y = (y + body(y)).relu();
    return head(depthwise(y).relu().mean({2, 3}));
  }
  Conv stem{torch::nn::Conv2dOptions(3, 8, 3).padding(1).bias(false)};
  torch::nn::BatchNorm2d norm{8};
  Conv body{torch::nn::Conv2dOptions(8, 8, 3).padding(1).groups(2)};
  Conv depthwise{torch::nn::Conv2dOptions(8, 8, 3).stride(2).groups(8)};
  Linear head{8, 5};
};
using own_net = some_net<pq::conv2d, pq::linear>;
using plain_net = some_net<torch::nn::Conv2d, torch::nn::Linear>;

const std::vector<std::string> all_names{"stem", "body", "depthwise", "head"};

template <class Net>
std::shared_ptr<Net> made(std::uint64_t seed = 1) {
  torch::manual_seed(seed);
  auto net = std::make_shared<Net>();
  const at::NoGradGuard no_grad;
  net->norm->running_mean.normal_(0, 0.1);
  net->norm->running_var.uniform_(0.5, 1.5);
  return net;
}

at::Tensor images(std::int64_t n = 24) {
  torch::manual_seed(7);
  return at::randn({n, 3, 8, 8});
}

pq::module_params quick_params(std::size_t steps = 6) {
  pq::module_params params;
  params.compression.layer = [](std::size_t, const bitpq::network_layer& l) {
    bitpq::pq_params pq = bitpq::params_of(bitpq::preset::fast, l.geometry);
    pq.codewords = 8;
    pq.max_iterations = 4;
    return pq;
  };
  params.compression.calibration.teacher_targets = true;
  params.compression.layer_tuning.steps = 2;
  params.compression.layer_tuning.rate = [](std::size_t) { return 1e-3; };
  params.compression.global_tuning.steps = steps;
  params.compression.global_tuning.rate = [](std::size_t) { return 3e-3; };
  return params;
}

template <class Net>
at::Tensor evaluated(Net& net, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  net.eval();
  return net.forward(x);
}

template <class Net>
double mean_loss(Net& net, const at::Tensor& x, const at::Tensor& wanted) {
  const at::Tensor got = evaluated(net, x).contiguous();
  std::vector<float> gradient(static_cast<std::size_t>(got.numel()));
  const auto rows = static_cast<std::size_t>(got.size(0)), cols = static_cast<std::size_t>(got.size(1));
  return bitpq::distillation_loss<float>({got.data_ptr<float>(), rows, cols}, {wanted.data_ptr<float>(), rows, cols}, 1,
                                         bitpq::matrix_view<float>(gradient.data(), rows, cols));
}

std::filesystem::path scratch_file(const char* name) { return std::filesystem::temp_directory_path() / name; }

/// One convolution used twice, under two names.
struct twice_net : torch::nn::Module {
  explicit twice_net(bool reached = true) : reaches(reached) {
    register_module("first", conv);
    register_module("second", conv);
    register_module("head", head);
    register_module("spare", spare);
  }
  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor y = head(conv(conv(x).relu()).mean({2, 3}));
    return reaches ? y + 0.1 * spare(x.mean({2, 3})) : y;
  }
  bool reaches;
  pq::conv2d conv{torch::nn::Conv2dOptions(3, 3, 3).padding(1)};
  pq::linear head{3, 4};
  torch::nn::Linear spare{3, 4};
};

}  // namespace

TEST_CASE("inputs of LibTorch's own layers are found in the graph of a pass") {
  const auto own = made<own_net>();
  const auto plain = made<plain_net>();
  own->eval();
  plain->eval();
  for (const auto& item : own->named_parameters()) CHECK(plain->named_parameters()[item.key()].equal(item.value()));
  const at::Tensor x = images(3);
  const pq::forward_function run_own = [&](const at::Tensor& input) { return own->forward(input); };
  const pq::forward_function run_plain = [&](const at::Tensor& input) { return plain->forward(input); };
  const std::vector<pq::module_layer> own_layers = pq::layers_of(*own), plain_layers = pq::layers_of(*plain);
  const auto own_places = pq::places_of(*own, own_layers, run_own, x);
  const auto plain_places = pq::places_of(*plain, plain_layers, run_plain, x);
  REQUIRE(own_layers.size() == 4);
  REQUIRE(plain_layers.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    INFO(own_layers[i].name);
    CHECK(own_layers[i].name == all_names[i]);
    CHECK(plain_layers[i].plain());
    CHECK(own_places[i].geometry == plain_places[i].geometry);
    CHECK(own_places[i].uses == 1);
    CHECK((i == 0 || plain_places[i].order > plain_places[i - 1].order));
    CHECK((i == 0 || own_places[i].order > own_places[i - 1].order));
    const pq::layer_inputs ours = pq::inputs_of(*own, own_layers[i], own_places[i], run_own, x);
    const pq::layer_inputs theirs = pq::inputs_of(*plain, plain_layers[i], plain_places[i], run_plain, x);
    REQUIRE(ours.size() == 1);
    REQUIRE(theirs.size() == 1);
    CHECK(ours[0].equal(theirs[0]));
  }
  for (const at::Tensor& p : plain->parameters()) CHECK((p.requires_grad() && !p.grad().defined()));
}

TEST_CASE("an input that is changed in place after it was read is refused, but not of layers of this library") {
  torch::manual_seed(6);
  const auto run = [](auto first, auto second) {
    auto net = std::make_shared<torch::nn::Module>();
    net->register_module("first", first);
    net->register_module("second", second);
    const pq::forward_function forward = [=](const at::Tensor& x) mutable {
      const at::Tensor hidden = first(x).relu();
      const at::Tensor y = second(hidden);
      const at::NoGradGuard no_grad;
      hidden.add_(1);
      return y;
    };
    return pq::places_of(*net, pq::layers_of(*net), forward, at::ones({2, 3}))[1].uses;
  };
  CHECK(run(pq::linear(3, 4), pq::linear(4, 2)) == 1);
  bitpq_test::expect_error(errc::unsupported,
                           "what a layer of torch::nn reads (AddmmBackward0) is changed in place later in the pass; "
                           "bitpq's own layers see it in time",
                           [&] { run(torch::nn::Linear(3, 4), torch::nn::Linear(4, 2)); });
}

TEMPLATE_TEST_CASE("a network is compressed, tuned, saved and loaded", "", own_net, plain_net) {
  constexpr bool own = std::is_same_v<TestType, own_net>;
  const at::Tensor x = images();
  const auto net = made<TestType>();
  const at::Tensor wanted = evaluated(*net, x);
  const at::Tensor stem = net->stem->weight.detach().clone();
  net->train();

  const auto untuned = made<TestType>();
  pq::module_params none = quick_params(0);
  none.compression.layer_tuning.steps = 0;
  pq::compress_module(untuned, pq::in_batches(x, 8), none);
  const pq::module_report report = pq::compress_module(net, pq::in_batches(x, 8), quick_params(30));
  CHECK(net->is_training());
  CHECK(net->norm->is_training());
  CHECK(report.on_codes == (own ? all_names : std::vector<std::string>()));
  CHECK(report.decoded == (own ? std::vector<std::string>() : all_names));
  CHECK(report.network.layers.size() == 4);
  CHECK(report.network.end == bitpq::run_end::finished);
  CHECK(report.codes.size() == report.decoded.size());
  CHECK(mean_loss(*net, x, wanted) < mean_loss(*untuned, x, wanted));

  const std::filesystem::path path =
      scratch_file(own ? "bitpq_torch_own.safetensors" : "bitpq_torch_plain.safetensors");
  pq::save_module(path, *net, report.codes);
  const bitpq::compressed_model<float> model = bitpq::load_model<float>(path);
  CHECK(model.layers().size() == 4);
  CHECK(model.layers().contains("depthwise.weight"));
  CHECK(model.tensors().contains("norm.num_batches_tracked"));
  CHECK_FALSE(model.tensors().contains("stem.codebook"));
  const auto other = made<TestType>(2);
  const pq::plain_codes codes = pq::load_module(path, *other);
  CHECK(codes.size() == report.codes.size());
  CHECK(evaluated(*other, x).equal(evaluated(*net, x)));
  std::filesystem::remove(path);
}

TEST_CASE("an interrupted run goes on to the same bits") {
  const at::Tensor x = images();
  pq::module_params params = quick_params();
  params.network.other_rate = 0.5;
  params.network.batch_norm_batches = 2;
  const auto whole = made<own_net>(), parts = made<own_net>();
  pq::compress_module(whole, pq::in_batches(x, 8), params);
  bitpq::network_checkpoint<float> last;
  bitpq::network_run<float> run;
  run.max_steps = 9;
  run.checkpoint = [&](const bitpq::network_checkpoint<float>& c) { last = c; };
  const pq::module_report first = pq::compress_module(parts, pq::in_batches(x, 8), params, run);
  CHECK(first.network.end == bitpq::run_end::steps_spent);
  const auto resumed = made<own_net>();
  bitpq::network_run<float> rest;
  rest.resume = &last;
  pq::compress_module(resumed, pq::in_batches(x, 8), params, rest);
  CHECK(evaluated(*resumed, x).equal(evaluated(*whole, x)));
  CHECK_FALSE(whole->head->bias.equal(made<own_net>()->head->bias));
}

TEST_CASE("codes are refreshed by the gradients of the weights") {
  const at::Tensor x = images();
  pq::module_params params = quick_params(12);
  params.compression.global_tuning.refresh_every = 3;
  params.compression.global_tuning.refresh = {.share = 0.2, .trust_ratio = 0.5};
  params.compression.global_tuning.refresh_rate = 100;
  const auto own = made<own_net>();
  const auto plain = made<plain_net>();
  CHECK(pq::compress_module(own, pq::in_batches(x, 8), params).network.global.moved > 0);
  CHECK(pq::compress_module(plain, pq::in_batches(x, 8), params).network.global.moved > 0);
}

TEST_CASE("a module that is used twice is one layer, under its first name") {
  torch::manual_seed(3);
  const auto net = std::make_shared<twice_net>();
  const at::Tensor x = images(8);
  const pq::forward_function forward = [&](const at::Tensor& input) { return net->forward(input); };
  const auto layers = pq::layers_of(*net);
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].shared_as == std::vector<std::string>{"second"});
  CHECK(pq::places_of(*net, layers, forward, x)[0].uses == 2);
  const pq::module_report report = pq::compress_module(net, pq::in_batches(x, 4), quick_params(2));
  CHECK(report.on_codes == std::vector<std::string>{"first", "head"});
  CHECK(report.decoded == std::vector<std::string>{"spare"});
  torch::manual_seed(5);
  twice_net other;
  pq::assign(other, pq::model_of(*net, report.codes));
  CHECK(evaluated(other, x).equal(evaluated(*net, x)));
}

TEST_CASE("what cannot be compressed is said with its name, and the network stays as it was") {
  const at::Tensor x = images();
  const auto net = made<own_net>();
  const at::Tensor wanted = evaluated(*net, x);
  net->train();
  const pq::module_params params = quick_params();
  const auto unreached = std::make_shared<twice_net>(false);
  pq::module_params taught = params;
  taught.network.teacher = [](const at::Tensor& input) { return at::zeros({input.size(0), 7}); };
  const auto tied = std::make_shared<torch::nn::Module>();
  torch::nn::Linear one(3, 3), two(3, 3);
  two->weight = tied->register_module("one", one)->weight;
  tied->register_module("two", two);
  at::Tensor spoilt = x.clone();
  spoilt[9][1][2][3] = std::numeric_limits<float>::quiet_NaN();
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "no data to calibrate with", [&] { pq::compress_module(net, {}, params); }},
      {errc::bad_params, "no data to calibrate with",
       [&] {
         pq::compress_module(net, pq::in_batches(at::empty({0, 3, 8, 8}), 4), params);
       }},
      {errc::bad_params, "batches of 0 samples", [&] { static_cast<void>(pq::in_batches(x, 0)); }},
      {errc::non_finite, "batch 1 holds NaN or infinity",
       [&] { pq::compress_module(net, pq::in_batches(spoilt, 8), params); }},
      {errc::bad_shape, "a teacher of 7 classes for a student of 5",
       [&] { pq::compress_module(net, pq::in_batches(x, 8), taught); }},
      {errc::bad_params, "no data reaches layer spare",
       [&] { pq::compress_module(unreached, pq::in_batches(x, 8), params); }},
      {errc::unsupported, "layers one and two share one weight", [&] { static_cast<void>(pq::layers_of(*tied)); }},
  });
  CHECK(net->is_training());
  CHECK(evaluated(*net, x).equal(wanted));
}

TEST_CASE("a batch that spoils a step is named with it, and the network stays as it was") {
  const at::Tensor x = images();
  const auto net = made<own_net>();
  {
    const at::NoGradGuard no_grad;
    net->stem->weight.mul_(100);  // so that the largest float is too much for it
  }
  const at::Tensor wanted = evaluated(*net, x);
  const std::pair<float, std::string> cases[] = {
      {std::numeric_limits<float>::infinity(), "batch 1: layer stem reads NaN or infinity"},
      {(std::numeric_limits<float>::max)(), "batch 1: layer body reads NaN or infinity"}};
  for (const auto& [value, text] : cases) {
    at::Tensor spoilt = x.clone();
    spoilt[9].fill_(value);
    bool tuning = false;
    const pq::calibration_data data{3, [&, &bad = spoilt](std::size_t i) {
                                      const auto first = static_cast<std::int64_t>(8 * i);
                                      return (tuning ? bad : x).slice(0, first, first + 8);
                                    }};
    bitpq::network_run<float> run;
    run.progress = [&](const bitpq::network_progress& p) {
      tuning = p.phase == bitpq::network_phase::tune_global;
      return true;
    };
    std::string got;
    try {
      pq::compress_module(net, data, quick_params(), run);
    } catch (const bitpq::error& e) {
      CHECK(e.code() == errc::non_finite);
      got = e.what();
    }
    INFO(got);
    CHECK(got.find("step ") != got.npos);
    CHECK(got.find(text) != got.npos);
    CHECK(evaluated(*net, x).equal(wanted));
    for (const std::string& name : all_names) CHECK(net->named_parameters().contains(name + ".weight"));
  }
}

TEST_CASE("the file of another network is refused, nothing changed") {
  const at::Tensor x = images(2);
  const auto net = made<own_net>();
  const auto twice = std::make_shared<twice_net>();
  const at::Tensor before = evaluated(*net, x);
  const bitpq::compressed_model<float> model = pq::model_of(*net);
  bitpq::compressed_model<float> wrong_shape, coded;
  for (const auto& [name, tensor] : model.tensors()) {
    bitpq::dense_tensor changed = tensor;
    if (name == "head.bias") changed = {bitpq::dtype::f32, {2}, std::vector<std::byte>(8)};
    wrong_shape.add_tensor(name, changed);
    if (name != "head.weight") coded.add_tensor(name, tensor);
  }
  coded.add_layer("head.weight", bitpq::layer_geometry::linear(4, 8), bitpq_test::random_pq<float>({4, 8, 4, 3}, 1));
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "the file has no tensor first.weight", [&] { pq::assign(*twice, model); }},
      {errc::bad_params, "the network has no first.bias, which the file holds",
       [&] {
         bitpq::compressed_model<float> more = model;
         more.add_tensor("first.bias", {2}, std::vector<float>(2));
         pq::assign(*net, more);
       }},
      {errc::bad_shape, "tensor head.bias of the file has 8 bytes in another shape than the network's 5 elements",
       [&] { pq::assign(*net, wrong_shape); }},
      {errc::bad_shape, "layer head of the file has another geometry than the network's",
       [&] { pq::assign(*net, coded); }},
      {errc::bad_params, "codes of 1 layers of torch::nn, of which the network has 0",
       [&] {
         static_cast<void>(pq::model_of(
             *net,
             {{"nowhere", {bitpq::layer_geometry::linear(4, 8), bitpq_test::random_pq<float>({4, 8, 4, 3}, 1)}}}));
       }},
  });
  CHECK(evaluated(*net, x).equal(before));
}
