// SPDX-License-Identifier: Apache-2.0
#pragma once

// Layers for LibTorch's networks that become compressed where they stand, and compression of whole networks (target
// bitpq::torch); docs/torch.md says how. The namespace is bitpq::torch: where bitpq is open, write ::torch for
// LibTorch's.

#include <bitpq/interop/torch/compress_module.hpp>
