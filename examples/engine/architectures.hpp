// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks as graphs, layers named as torchvision names them, so that their published weights load as they are.

#include "engine/graph.hpp"

#include <initializer_list>

namespace engine {

/// A residual network (He et al. 2015): a stem, stages of blocks with shortcuts, an average, a linear classifier.
struct resnet_shape {
  std::size_t input_channels = 3, classes = 1000;
  std::size_t stem_width = 64;
  bool large_stem = true;  ///< 7 x 7, stride 2, then a max pool; else 3 x 3, stride 1, for small images
  std::vector<std::size_t> widths{64, 128, 256, 512}, blocks{2, 2, 2, 2};  ///< per stage
  std::size_t first_stride = 1;                                            ///< of the first stage; the others halve
  bool bottleneck = false;  ///< blocks of 1 x 1, 3 x 3, 1 x 1 whose output is 4 times as wide; else of two 3 x 3
};

namespace detail {

/// One block; returns the number of the tensor it makes.
inline std::size_t residual_block(graph_builder& net, const resnet_shape& shape, const std::string& name,
                                  std::size_t from, std::size_t width, std::size_t stride) {
  const std::size_t out = shape.bottleneck ? 4 * width : width;
  std::size_t inner = from, shortcut = from;
  if (shape.bottleneck) inner = net.conv(name + "conv1", inner, width, {1, 1, 0, true, name + "bn1"});
  const std::string middle = shape.bottleneck ? "2" : "1", last = shape.bottleneck ? "3" : "2";
  inner = net.conv(name + "conv" + middle, inner, width, {3, stride, 1, true, name + "bn" + middle});
  if (stride != 1 || net.channels(from) != out)
    shortcut = net.conv(name + "downsample.0", from, out, {1, stride, 0, false, name + "downsample.1"});
  const std::size_t kernel = shape.bottleneck ? 1 : 3;
  return net.conv_and_add(name + "conv" + last, inner, shortcut, out,
                          {kernel, 1, kernel / 2, true, name + "bn" + last});
}

}  // namespace detail

inline graph residual_network(const resnet_shape& shape) {
  graph_builder net(shape.input_channels);
  std::size_t x = shape.large_stem ? net.conv("conv1", 0, shape.stem_width, {7, 2, 3, true, "bn1"})
                                   : net.conv("conv1", 0, shape.stem_width, {3, 1, 1, true, "bn1"});
  if (shape.large_stem) x = net.max_pool(x, {3, 2, 1});
  for (std::size_t stage = 0; stage < shape.widths.size(); ++stage)
    for (std::size_t block = 0; block < shape.blocks[stage]; ++block) {
      const std::size_t stride = block > 0 ? 1 : stage > 0 ? 2 : shape.first_stride;
      x = detail::residual_block(net, shape, "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".", x,
                                 shape.widths[stage], stride);
    }
  net.linear("fc", net.global_average_pool(x), shape.classes);
  return net.take();
}

/// ResNet-18, 34, 50 or 101. Throws bad_params for another depth.
inline graph resnet(std::size_t depth, std::size_t classes = 1000) {
  resnet_shape shape;
  shape.classes = classes;
  shape.bottleneck = depth >= 50;
  if (depth == 34 || depth == 50)
    shape.blocks = {3, 4, 6, 3};
  else if (depth == 101)
    shape.blocks = {3, 4, 23, 3};
  else
    bitpq::require(depth == 18, bitpq::errc::bad_params, "no ResNet-", depth, "; there are 18, 34, 50 and 101");
  return residual_network(shape);
}

/// SqueezeNet 1.1 (Iandola et al. 2016): a fire squeezes the channels by a 1 x 1 layer and expands them by two layers
/// side by side.
inline graph squeezenet1_1(std::size_t classes = 1000) {
  graph_builder net(3);
  const pool_window pool{3, 2, 0, true};
  const auto fire = [&](std::size_t from, std::size_t index, std::size_t squeezed, std::size_t expanded) {
    const std::string name = "features." + std::to_string(index) + ".";
    const std::size_t narrow = net.conv(name + "squeeze", from, squeezed, {1});
    const std::size_t one = net.conv(name + "expand1x1", narrow, expanded, {1});
    return net.concat(one, net.conv(name + "expand3x3", narrow, expanded, {3, 1, 1}));
  };
  std::size_t x = net.max_pool(net.conv("features.0", 0, 64, {3, 2}), pool);
  x = net.max_pool(fire(fire(x, 3, 16, 64), 4, 16, 64), pool);
  x = net.max_pool(fire(fire(x, 6, 32, 128), 7, 32, 128), pool);
  x = fire(fire(fire(fire(x, 9, 48, 192), 10, 48, 192), 11, 64, 256), 12, 64, 256);
  net.global_average_pool(net.conv("classifier.1", x, classes, {1}));
  return net.take();
}

}  // namespace engine
