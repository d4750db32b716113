// SPDX-License-Identifier: Apache-2.0
#pragma once

// The front door of a program that only runs compressed weights. Without Eigen.

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/dense.hpp>
#include <bitpq/gemm/gemm.hpp>
#include <bitpq/version.hpp>
