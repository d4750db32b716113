# SPDX-License-Identifier: Apache-2.0
"""Checks what the demo wrote: usage check_report.py FOLDER"""
import json
import os
import sys
import xml.dom.minidom

folder = sys.argv[1]
with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
    report = json.load(file)
keys = ("commit teacher_top1 student_top1 control_top1 dense_bytes file_bytes ratio teacher_ms_per_image "
        "student_ms_per_image compress_seconds").split()
missing = [key for key in keys if key not in report]
assert not missing, f"report.json lacks {missing}"
size = os.path.getsize(os.path.join(folder, "student.safetensors"))
assert report["file_bytes"] == size, f"file_bytes {report['file_bytes']}, the file has {size}"
assert report["control_bytes"] == size, f"the control takes {report['control_bytes']} bytes, the student {size}"
assert report["dense_bytes"] == 4 * report["parameters"]
assert abs(report["ratio"] - report["dense_bytes"] / size) < 1e-9
assert report["ratio"] >= 20, f"ratio {report['ratio']}"
# Ten classes: a broken network is right once in ten times.
assert report["teacher_top1"] > 80 and report["student_top1"] > 70, "accuracy of chance"
if "finetune_steps" in report:
    assert report["student_top1_before_finetune"] > 70 and report["finetune_seconds"] > 0, report["finetune_steps"]
for student, control in zip(report["layers"], report["control_layers"], strict=True):
    assert student["bytes"] == control["bytes"], student["name"]
    assert 0 < student["output_error"] < 0.5, student
picture = xml.dom.minidom.parse(os.path.join(folder, "report.svg"))
labels = [node.firstChild.data for node in picture.getElementsByTagName("text") if node.firstChild]
assert all(layer["name"] in labels for layer in report["layers"]), "the picture lacks layers"
print("report.json and report.svg are in order")
