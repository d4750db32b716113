// SPDX-License-Identifier: Apache-2.0

// Links two generated translation units that each include every public header.

int bitpq_odr_forward();
int bitpq_odr_backward();

int main() { return bitpq_odr_forward() == bitpq_odr_backward() ? 0 : 1; }
