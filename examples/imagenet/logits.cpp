// SPDX-License-Identifier: Apache-2.0

// How far a network's logits are from those that another program computed of the same inputs:
//   imagenet_logits MODEL.safetensors REFERENCE.safetensors NAME     reads "input" and "logits.NAME"
// Prints the largest difference.

#include "engine/checkpoint.hpp"
#include "engine/session.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: imagenet_logits MODEL.safetensors REFERENCE.safetensors NAME\n", stderr);
    return 2;
  }
  try {
    const engine::checkpoint file(argv[1]);
    const bitpq::safetensors_reader reference(argv[2]);
    const std::vector<std::size_t>& shape = reference["input"].shape;
    const std::vector<float> input = reference.values<float>("input");
    const std::vector<float> want = reference.values<float>("logits." + std::string(argv[3]));
    const engine::network net = engine::build_network(file.structure(), file.weights());
    engine::session session(net, {shape.at(0), shape.at(1), shape.at(2), shape.at(3)}, {});
    std::copy(input.begin(), input.end(), session.input().data_handle());
    const engine::maps_in logits = session.run();
    bitpq::require(logits.size() == want.size(), bitpq::errc::bad_shape, logits.size(), " logits, expected ",
                   want.size());
    double largest = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
      largest =
          std::max(largest, std::abs(static_cast<double>(logits.data_handle()[i]) - static_cast<double>(want[i])));
    std::printf("%.3g\n", largest);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
