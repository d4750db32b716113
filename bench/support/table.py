#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the rows of a benchmark report as a Markdown table.

usage: table.py REPORT.json [REGEX]      REGEX chooses rows by name
"""
import json
import re
import sys

COLUMNS = ["ratio", "ratio_p10", "speedup", "speedup_p10", "ms_on_one", "regret", "least", "gflops", "peer_gflops",
           "of_roof", "rel_error", "peak_bytes"]
FORMATS = {"rel_error": "{:.1e}", "gflops": "{:.0f}", "peer_gflops": "{:.0f}", "peak_bytes": "{:.3g}"}


def cells(row, columns):
    if row.get("error_occurred"):
        return ["failed: " + row["error_message"]] + [""] * (len(columns) - 1)
    return [FORMATS.get(c, "{:.2f}").format(row[c]) if c in row else "" for c in columns]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    rows = [r for r in report["benchmarks"] if re.search(sys.argv[2] if len(sys.argv) == 3 else "", r["name"])]
    columns = [c for c in COLUMNS if any(c in r for r in rows)]
    context = report["context"]
    print(", ".join(f"{k} {context[k]}" for k in context if isinstance(context[k], str) and k not in
                    ("host_name", "executable")) + "\n")
    print("| row | " + " | ".join(columns) + " | path |")
    print("|---" * (len(columns) + 2) + "|")
    for row in rows:
        print(f"| {row['name']} | " + " | ".join(cells(row, columns)) + f" | {row.get('label', '').replace('|', '/')} |")


if __name__ == "__main__":
    main()
