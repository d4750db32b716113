// SPDX-License-Identifier: Apache-2.0
#pragma once

// The front door of a program that compresses weights and runs them: every floor that needs no optional dependency.

#include <bitpq/inference.hpp>
#include <bitpq/quantize/compress.hpp>
#include <bitpq/quantize/presets.hpp>
#include <bitpq/quantize/targets.hpp>
