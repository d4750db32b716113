// SPDX-License-Identifier: Apache-2.0
// Empty: the target that holds it only collects include folders for the compile-fail tests.
