// SPDX-License-Identifier: Apache-2.0
#pragma once

// What compressible asks of the module that it is part of, once for all modules: one parameter of two names.

#include <bitpq/interop/torch/layer.hpp>

#include <torch/serialize/archive.h>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// `Module`, one of LibTorch's, whose parameter is `weight` where dense and `codebook` where compressed. `Impl`, what
/// is made of it, has the member `weight`, undefined where compressed.
template <class Impl, class Module>
class coded_module : public Module, public compressible {
 public:
  using Module::Module;

  /// LibTorch's archives hold parameters, not codes: throws unsupported where compressed, see save_module.
  void save(::torch::serialize::OutputArchive& archive) const override {
    require(!compressed(), errc::unsupported, "a compressed layer is saved by bitpq::torch::save_module");
    Module::save(archive);
  }

 protected:
  void use_codebook(const at::Tensor& values) final {
    this->parameters_.erase("weight");
    static_cast<Impl&>(*this).weight = at::Tensor();
    codebook = this->register_parameter("codebook", values);
  }
  void use_weight(const at::Tensor& values) final {
    this->parameters_.erase("codebook");
    codebook = at::Tensor();
    static_cast<Impl&>(*this).weight = this->register_parameter("weight", values);
  }
  const at::Tensor& dense_parameter() const noexcept final { return static_cast<const Impl&>(*this).weight; }
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
