# SPDX-License-Identifier: Apache-2.0
"""What a PyTorch user needs beside the program bitpq: statistics of a model's layers for `bitpq compress --gram`, and
safetensors files read and written with nothing but the standard library (and PyTorch, for tensors). See docs/python.md.
"""
import ctypes
import json
import struct


def write_safetensors(path, tensors, metadata=None):
    """tensors: {name: (dtype, shape, bytes)} with dtype as in the file, "F32" for instance."""
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


def read_safetensors(path):
    """({name: (dtype, shape, bytes)}, metadata)"""
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__", {})
    return {n: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for n, t in header.items()}, metadata


def gram_statistics(model, batches):
    """Runs the model on batches of inputs; {"<layer>.gram": groups x columns x columns} of all convolutions and linear
    layers: the mean of x x^T over what each weight row of a group is multiplied with."""
    import torch

    sums, counts = {}, {}

    def hook(name, layer, inputs):
        x = inputs[0].detach().double()
        if isinstance(layer, torch.nn.Conv2d):
            x = torch.nn.functional.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
            x = x.transpose(0, 1).reshape(layer.groups, -1, x.shape[0] * x.shape[2])
        else:
            x = x.reshape(1, -1, layer.in_features).transpose(1, 2)
        sums[name] = sums.get(name, 0) + x @ x.transpose(1, 2)
        counts[name] = counts.get(name, 0) + x.shape[2]

    hooks = [
        layer.register_forward_pre_hook(lambda layer, inputs, name=name: hook(name, layer, inputs))
        for name, layer in model.named_modules()
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for h in hooks:
        h.remove()
    return {name + ".gram": total / counts[name] for name, total in sums.items()}


def save_tensors(path, tensors):
    """Writes {name: tensor}, a state_dict for instance."""
    import torch

    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
    names.update({torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"})

    def stored(t):
        t = t.detach().cpu().contiguous()
        return names[t.dtype], list(t.shape), ctypes.string_at(t.data_ptr(), t.numel() * t.element_size())

    write_safetensors(path, {name: stored(t) for name, t in tensors.items()}, {"format": "pt"})


def load_tensors(path):
    """{name: tensor}, as load_state_dict takes it."""
    import torch

    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
    types.update({"I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool})
    return {
        name: torch.frombuffer(bytearray(data), dtype=types[dtype]).reshape(shape)
        for name, (dtype, shape, data) in read_safetensors(path)[0].items()
    }
