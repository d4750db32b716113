// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading and writing safetensors files: the container, without any meaning given to the tensors in it.

#include <bitpq/io/safetensors_reader.hpp>
#include <bitpq/io/safetensors_writer.hpp>
