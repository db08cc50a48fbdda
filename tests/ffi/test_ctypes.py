# SPDX-License-Identifier: Apache-2.0
"""The C ABI as another language sees it: structs declared by hand, NumPy's memory, callbacks written in Python.

VASTMAX_LIBRARY names the shared library, VASTMAX_LAYOUT the program made of layout.c, VASTMAX_VECTORS tests/vectors.
"""

import ctypes as C
import json
import os
import struct
import subprocess
import sys
import threading
import unittest
import warnings

import numpy as np

OK, NULL, SHAPE, DTYPE, VALUE, OVERLAP, SIZE, STRUCT, LABEL, UNSUPPORTED, MEMORY, CALLBACK = range(12)
F32, BF16, F16, F64, I32, I64 = range(1, 7)
ROW_EMPTY, ROW_NAN, ROW_INF, ROW_UNDERFULL = 1, 2, 4, 8
PRECISE, ZERO_MASKED = 1, 2
FOLD_SUMS, FOLD_ENTROPY = 1, 2
SUM, MEAN = 1, 2
SMALLEST = 1
BLOCK = 4096

i32, i64, u32, double, ptr, size_t = C.c_int32, C.c_int64, C.c_uint32, C.c_double, C.c_void_p, C.c_size_t
TASK = C.CFUNCTYPE(None, ptr, i64)
PARALLEL_FOR = C.CFUNCTYPE(i32, ptr, i64, TASK, ptr)
ALLOC = C.CFUNCTYPE(ptr, ptr, size_t, size_t)
FREE = C.CFUNCTYPE(None, ptr, ptr, size_t, size_t)


def declare(name, *fields):
    return type(name, (C.Structure,), {"_fields_": list(fields)})


Matrix = declare("vmx_matrix", ("data", ptr), ("rows", i64), ("cols", i64), ("row_stride", i64), ("col_stride", i64),
                 ("dtype", i32), ("reserved", i32))
Vector = declare("vmx_vector", ("data", ptr), ("n", i64), ("stride", i64), ("dtype", i32), ("reserved", i32))
Ids = declare("vmx_ids", ("data", ptr), ("n", i64), ("stride", i64), ("type", i32), ("base", i32))
Csr = declare("vmx_csr", ("indptr", Ids), ("ids", Ids), ("weights", Vector))
ContextOptions = declare("vmx_context_options", ("struct_size", size_t), ("isa", i32), ("threads", i32),
                         ("parallel_for", PARALLEL_FOR), ("parallel_for_user", ptr), ("alloc", ALLOC), ("free", FREE),
                         ("alloc_user", ptr))
SoftmaxOptions = declare("vmx_softmax_options", ("struct_size", size_t), ("flags", u32), ("reserved", u32),
                         ("temperature", ptr), ("temperature_stride", i64))
LseState = declare("vmx_lse_state", ("version", C.c_uint8), ("flags", C.c_uint8), ("wz_bin", C.c_int8),
                   ("w_bin", C.c_int8), ("count", u32), ("max", double), ("ref", i64), ("sum", i64 * 3),
                   ("entropy", i64 * 2), ("sum_wz", i64 * 2), ("sum_w", i64 * 2))
LseShort = declare("vmx_lse_short", ("max", double), ("sum", double))
LseOptions = declare("vmx_lse_options", ("struct_size", size_t), ("flags", u32), ("reserved", u32),
                     ("temperature", ptr), ("temperature_stride", i64), ("class_weight", Vector), ("skip", Ids))
CrossEntropyOptions = declare("vmx_cross_entropy_options", ("struct_size", size_t), ("flags", u32), ("reduction", i32),
                              ("ignore_index", i64), ("label_smoothing", double), ("softcap", double),
                              ("z_loss", double), ("class_weight", Vector), ("temperature", ptr),
                              ("temperature_stride", i64))
CrossEntropyOut = declare("vmx_cross_entropy_out", ("struct_size", size_t), ("loss", Vector), ("z_loss", Vector),
                          ("lse", Vector), ("total", ptr), ("total_z_loss", ptr), ("total_weight", ptr),
                          ("row_flags", ptr), ("grad", Matrix), ("grad_scale", double))
TopkOptions = declare("vmx_topk_options", ("struct_size", size_t), ("flags", u32), ("reserved", u32),
                      ("col_offset", i64), ("excluded", Csr))
Linear = declare("vmx_linear", ("struct_size", size_t), ("weights", Matrix), ("packed", ptr), ("bias", Vector),
                 ("memory_limit", size_t))
LinearGrads = declare("vmx_linear_grads", ("struct_size", size_t), ("flags", u32), ("reserved", u32),
                      ("hidden", Matrix), ("weights", Matrix), ("bias", Vector))

SamplerOptions = declare("vmx_sampler_options", ("struct_size", size_t), ("kind", i32), ("codewords", i32), ("classes", i64),
                         ("weights", Vector), ("power", double), ("embeddings", Matrix), ("temperature", double),
                         ("alpha", double), ("rate", double), ("seed", C.c_uint64))
DrawOptions = declare("vmx_draw_options", ("struct_size", size_t), ("flags", u32), ("reserved", u32), ("seed", C.c_uint64),
                      ("step", i64))

OPTIONS = [ContextOptions, SoftmaxOptions, LseOptions, CrossEntropyOptions, CrossEntropyOut, TopkOptions, Linear,
           LinearGrads, SamplerOptions, DrawOptions]
STRUCTS = OPTIONS + [Matrix, Vector, Ids, Csr, LseState, LseShort]

lib = C.CDLL(os.environ["VASTMAX_LIBRARY"])
M, V = C.POINTER(Matrix), C.POINTER(Vector)


def function(name, *arguments, result=i32):
    f = getattr(lib, name)
    f.argtypes, f.restype = arguments, result
    return f


vmx_last_error = function("vmx_last_error", C.c_char_p, size_t, result=size_t)
vmx_status_string = function("vmx_status_string", i32, result=C.c_char_p)
vmx_version = function("vmx_version")
vmx_version_string = function("vmx_version_string", result=C.c_char_p)
vmx_isa_count = function("vmx_isa_count")
vmx_isa_id = function("vmx_isa_id", i32)
vmx_isa_name = function("vmx_isa_name", i32, result=C.c_char_p)
vmx_isa_usable = function("vmx_isa_usable", i32)
vmx_isa_active = function("vmx_isa_active", ptr)
vmx_context_create = function("vmx_context_create", C.POINTER(ContextOptions), C.POINTER(ptr))
vmx_context_destroy = function("vmx_context_destroy", ptr, result=None)
vmx_context_threads = function("vmx_context_threads", ptr)
vmx_workspace_create = function("vmx_workspace_create", ptr, C.POINTER(ptr))
vmx_workspace_capacity = function("vmx_workspace_capacity", ptr, result=size_t)
vmx_workspace_destroy = function("vmx_workspace_destroy", ptr, result=None)
vmx_logsumexp = function("vmx_logsumexp", ptr, ptr, M, V, ptr, C.POINTER(SoftmaxOptions))
vmx_softmax = function("vmx_softmax", ptr, ptr, M, M, V, ptr, C.POINTER(SoftmaxOptions))
vmx_log_softmax = function("vmx_log_softmax", ptr, ptr, M, M, V, ptr, C.POINTER(SoftmaxOptions))
vmx_softmax_backward = function("vmx_softmax_backward", ptr, ptr, M, M, M, C.POINTER(SoftmaxOptions))
vmx_log_softmax_backward = function("vmx_log_softmax_backward", ptr, ptr, M, M, M, C.POINTER(SoftmaxOptions))
vmx_lse_fold = function("vmx_lse_fold", ptr, ptr, M, i64, ptr, C.POINTER(LseOptions))
vmx_lse_merge = function("vmx_lse_merge", ptr, ptr, i64)
vmx_lse_finish = function("vmx_lse_finish", ptr, i64, C.POINTER(LseOptions), V, V, ptr)
vmx_lse_shorten = function("vmx_lse_shorten", ptr, i64, C.POINTER(LseOptions), ptr)
vmx_lse_short_merge = function("vmx_lse_short_merge", ptr, ptr, i64)
vmx_lse_short_finish = function("vmx_lse_short_finish", ptr, i64, V)
vmx_cross_entropy = function("vmx_cross_entropy", ptr, ptr, M, C.POINTER(Csr), C.POINTER(CrossEntropyOut),
                             C.POINTER(CrossEntropyOptions))
vmx_topk = function("vmx_topk", ptr, ptr, M, i64, M, M, ptr, C.POINTER(TopkOptions))
vmx_topk_merge = function("vmx_topk_merge", ptr, ptr, M, M, i64, M, M, ptr, C.POINTER(TopkOptions))
vmx_onednn_version = function("vmx_onednn_version", result=C.c_char_p)
vmx_linear_logsumexp = function("vmx_linear_logsumexp", ptr, ptr, M, C.POINTER(Linear), V, ptr,
                                C.POINTER(SoftmaxOptions))

NUMBERS = {np.dtype(np.float32): F32, np.dtype(np.float16): F16, np.dtype(np.float64): F64,
           np.dtype(np.int32): I32, np.dtype(np.int64): I64, np.dtype(np.uint16): BF16}
UNIT = {F32: 2.0**-24, F16: 2.0**-24, BF16: 2.0**-24, F64: 2.0**-53}


def matrix(a):
    """A view of a 2-d array's memory, whatever its strides. The array must live on."""
    assert all(s % a.itemsize == 0 for s in a.strides)
    return Matrix(a.ctypes.data, *a.shape, a.strides[0] // a.itemsize, a.strides[1] // a.itemsize, NUMBERS[a.dtype], 0)


def vector(a):
    return Vector(a.ctypes.data, a.size, a.strides[0] // a.itemsize, NUMBERS[a.dtype], 0)


def ids(a, base=0):
    return Ids(a.ctypes.data, a.size, a.strides[0] // a.itemsize, NUMBERS[a.dtype], base)


def options(struct_type, **fields):
    """As the library fills it, then the given fields."""
    filled = struct_type()
    check(getattr(lib, struct_type.__name__ + "_init")(C.byref(filled), size_t(C.sizeof(filled))))
    for name, value in fields.items():
        setattr(filled, name, value)
    return filled


def last_error():
    text = C.create_string_buffer(1024)
    assert vmx_last_error(text, len(text)) == len(text.value)
    return text.value.decode()


def check(status):
    if status != OK:
        raise AssertionError(f"{vmx_status_string(status).decode()}: {last_error()}")


def wide(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def context(**fields):
    made = ptr()
    check(vmx_context_create(options(ContextOptions, **fields), C.byref(made)))
    return made


def softmax_of(x, t=1.0):
    """log-sum-exp, softmax and log-softmax in extended precision."""
    z = x.astype(np.longdouble) / t
    top = np.max(z, axis=1, keepdims=True)
    e = np.exp(z - top)
    lse = top + np.log(np.sum(e, axis=1, keepdims=True))
    return lse[:, 0], np.exp(z - lse), z - lse


def scores(rows, cols, dtype, seed=0, masks=True):
    x = np.random.default_rng(seed).normal(0, 3, (rows, cols))
    if masks:
        x[np.random.default_rng(seed + 1).random((rows, cols)) < 0.1] = -np.inf
        x[:, cols // 2] = 1.5
    return x.astype(dtype)


def layouts(x):
    """The same scores in memory laid out otherwise."""
    rows, cols = x.shape
    yield "plain", x.copy()
    yield "by columns", np.asfortranarray(x)
    padded = np.full((rows, cols + 5), np.nan, x.dtype)
    padded[:, 3:cols + 3] = x
    yield "inside", padded[:, 3:cols + 3]
    spread = np.full((2 * rows, 3 * cols), np.nan, x.dtype)
    spread[::2, ::3] = x
    yield "spread", spread[::2, ::3]
    yield "reversed", np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]


class Layout(unittest.TestCase):
    def test_structs_are_where_the_c_compiler_puts_them(self):
        lines = subprocess.run([os.environ["VASTMAX_LAYOUT"]], check=True, capture_output=True, text=True).stdout
        by_c = {tuple(words[:2]): tuple(map(int, words[2:])) for words in map(str.split, lines.splitlines())}
        by_hand = {}
        for s in STRUCTS:
            by_hand[s.__name__, "-"] = (0, C.sizeof(s))
            for name, _ in s._fields_:
                field = getattr(s, name)
                by_hand[s.__name__, name] = (field.offset, field.size)
        self.assertEqual(by_hand, by_c)

    def test_init_functions(self):
        for s in OPTIONS:
            init = function(s.__name__ + "_init", ptr, size_t)
            memory = (C.c_ubyte * (C.sizeof(s) + 24))(*[0xAB] * (C.sizeof(s) + 24))
            self.assertEqual(init(memory, C.sizeof(s)), OK)
            self.assertEqual(s.from_buffer(memory).struct_size, C.sizeof(s))
            self.assertEqual(bytes(memory)[C.sizeof(s):], b"\xab" * 24)
            self.assertEqual(init(memory, C.sizeof(s) + 24), OK)  # as for a newer header
            self.assertEqual(s.from_buffer(memory).struct_size, C.sizeof(s) + 24)
            self.assertEqual(init(memory, C.sizeof(s) - 1), STRUCT)
            self.assertIn(f"{s.__name__}_init: size is {C.sizeof(s) - 1}", last_error())
            self.assertEqual(init(None, C.sizeof(s)), NULL)
        o = options(CrossEntropyOptions)
        self.assertEqual((o.ignore_index, o.reduction, o.label_smoothing, o.class_weight.data), (-100, 0, 0.0, None))
        self.assertEqual(options(CrossEntropyOut).grad_scale, 1.0)

    def test_versions_and_isas(self):
        major, minor, patch = map(int, vmx_version_string().decode().split("."))
        self.assertEqual(vmx_version(), major * 10000 + minor * 100 + patch)
        names = [vmx_isa_name(vmx_isa_id(i)).decode() for i in range(vmx_isa_count())]
        self.assertEqual(names[0], "scalar")
        self.assertEqual(vmx_isa_usable(1), 1)
        for i in range(vmx_isa_count()):
            if vmx_isa_usable(vmx_isa_id(i)):
                ctx = context(isa=vmx_isa_id(i))
                self.assertEqual(vmx_isa_active(ctx), vmx_isa_id(i))
                vmx_context_destroy(ctx)


class Softmax(unittest.TestCase):
    def test_against_numpy(self):
        for dtype in (np.float32, np.float64, np.float16):
            x0 = scores(7, 1000, dtype)
            lse, p, log_p = softmax_of(x0)
            u = UNIT[NUMBERS[np.dtype(dtype)]]
            distance = np.where(np.isinf(x0), 0, np.max(x0, axis=1, keepdims=True) - x0).astype(np.longdouble)
            rounding = np.finfo(dtype).eps / 2
            first = None
            for name, x in layouts(x0):
                with self.subTest(dtype=dtype.__name__, layout=name):
                    got_lse = np.full(7, 9, wide(dtype))
                    flags = np.full(7, 99, np.uint32)
                    check(vmx_logsumexp(None, None, matrix(x), vector(got_lse), flags.ctypes.data, None))
                    self.assertTrue(np.all(np.abs(got_lse - lse) <= u * np.maximum(1, np.abs(lse)) + 16 * u))
                    self.assertTrue(np.all(flags == 0))
                    y, log_y, again = np.empty_like(x), np.empty_like(x), np.empty(7, wide(dtype))
                    check(vmx_softmax(None, None, matrix(x), matrix(y), vector(again), None, None))
                    check(vmx_log_softmax(None, None, matrix(x), matrix(log_y), None, None, None))
                    self.assertEqual(again.tobytes(), got_lse.tobytes())
                    tiny = float(np.finfo(dtype).smallest_subnormal)
                    self.assertTrue(np.all(np.abs(y - p) <= ((8 + distance) * u + rounding) * p + tiny))
                    self.assertTrue(np.all(y[np.isinf(x0)] == 0) and np.all(np.isneginf(log_y[np.isinf(x0)])))
                    finite = np.isfinite(x0)
                    bound = 2 * u * np.maximum(20, np.abs(log_p)) + 16 * u + rounding * np.abs(log_p)
                    self.assertTrue(np.all(np.abs(log_y[finite] - log_p[finite]) <= bound[finite]))
                    first = first or y.tobytes()
                    self.assertEqual(np.ascontiguousarray(y).tobytes(), first)  # whatever the layout
                    check(vmx_softmax(None, None, matrix(x), matrix(x), None, None, None))  # in place
                    self.assertEqual(np.ascontiguousarray(x).tobytes(), first)

    def test_bfloat16_is_the_upper_half_of_a_float32(self):
        x = (scores(3, 500, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        as_f32 = (x.astype(np.uint32) << 16).view(np.float32)
        y, y32 = np.empty_like(x), np.empty_like(as_f32)
        check(vmx_softmax(None, None, matrix(x), matrix(y), None, None, None))
        check(vmx_softmax(None, None, matrix(as_f32), matrix(y32), None, None, None))
        bits = y32.view(np.uint32)
        nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        np.testing.assert_array_equal(y, nearest)

    def test_temperatures_flags_and_odd_rows(self):
        x = scores(6, 300, np.float32, masks=False)
        x[1, 7] = np.nan
        x[2, 8] = np.inf
        x[3] = -np.inf
        t = np.array([0.5, 1, 1, 1, 2, np.inf], np.float32)
        spread = np.repeat(t, 3)[::3]
        o = options(SoftmaxOptions, flags=ZERO_MASKED, temperature=spread.ctypes.data, temperature_stride=3)
        y, lse, flags = np.empty((6, 300)), np.empty(6, np.float32), np.empty(6, np.uint32)
        check(vmx_softmax(None, None, matrix(x), matrix(y), vector(lse), flags.ctypes.data, o))
        self.assertEqual(list(flags), [0, ROW_NAN, ROW_INF, ROW_EMPTY, 0, 0])
        self.assertTrue(np.isnan(lse[1]) and lse[2] == np.inf and lse[3] == -np.inf)
        self.assertTrue(np.all(np.isnan(y[1:3])) and np.all(y[3] == 0))
        for row in (0, 4):
            np.testing.assert_allclose(y[row], softmax_of(x[row:row + 1], t[row])[1][0].astype(np.float64), rtol=4e-6)
        np.testing.assert_allclose(y[5], 1 / 300, rtol=1e-6)

    def test_backward(self):
        x, g = scores(4, 700, np.float64), scores(4, 700, np.float64, 5, masks=False)
        _, p, _ = softmax_of(x)
        y, log_y, grad = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        check(vmx_softmax(None, None, matrix(x), matrix(y), None, None, None))
        check(vmx_log_softmax(None, None, matrix(x), matrix(log_y), None, None, None))
        check(vmx_softmax_backward(None, None, matrix(y), matrix(g), matrix(grad), None))
        expected = p * (g - np.sum(p * g, axis=1, keepdims=True))
        np.testing.assert_allclose(grad, expected.astype(np.float64), rtol=1e-12, atol=1e-14)
        check(vmx_log_softmax_backward(None, None, matrix(log_y), matrix(g), matrix(grad), None))
        allowed = np.where(np.isinf(x), 0, g)
        expected = allowed - p * np.sum(allowed, axis=1, keepdims=True)
        np.testing.assert_allclose(grad, expected.astype(np.float64), rtol=1e-12, atol=1e-12)


class States(unittest.TestCase):
    def test_shards_merge_to_the_whole(self):
        rows, cols = 3, 5 * BLOCK + 77
        for dtype in (np.float32, np.float64, np.float16):
            x = scores(rows, cols, dtype)
            lse, p, log_p = softmax_of(x)
            o = options(LseOptions, flags=FOLD_SUMS | FOLD_ENTROPY)
            whole = (LseState * rows)()
            check(vmx_lse_fold(None, None, matrix(x), 0, whole, o))
            parts = []
            for begin in (0, BLOCK, 4 * BLOCK):
                end = {0: BLOCK, BLOCK: 4 * BLOCK, 4 * BLOCK: cols}[begin]
                parts.append((LseState * rows)())
                check(vmx_lse_fold(None, None, matrix(x[:, begin:end]), begin, parts[-1], o))
            sent = [bytes(part) for part in parts]  # as it would go over a wire
            received = [(LseState * rows).from_buffer_copy(part) for part in sent]
            check(vmx_lse_merge(received[2], received[0], rows))
            check(vmx_lse_merge(received[1], received[2], rows))
            self.assertEqual(bytes(received[1]), bytes(whole))

            got, entropy, flags = np.empty(rows, wide(dtype)), np.empty(rows), np.empty(rows, np.uint32)
            check(vmx_lse_finish(whole, rows, o, vector(got), vector(entropy), flags.ctypes.data))
            direct = np.empty(rows, wide(dtype))
            check(vmx_logsumexp(None, None, matrix(x), vector(direct), None, None))
            self.assertEqual(got.tobytes(), direct.tobytes())
            expected = -np.sum(np.where(p > 0, p * np.where(p > 0, log_p, 0), 0), axis=1)
            np.testing.assert_allclose(entropy, expected.astype(np.float64), rtol=1e-6)
            self.assertEqual([s.count for s in whole], list(np.sum(x > -np.inf, axis=1)))
            self.assertEqual([s.max for s in whole], list(np.max(x, axis=1).astype(np.float64)))

            shorts = [(LseShort * rows)() for _ in parts]
            for part, brief in zip(parts, shorts):
                check(vmx_lse_shorten(part, rows, o, brief))
            for brief in shorts[1:]:
                check(vmx_lse_short_merge(shorts[0], brief, rows))
            check(vmx_lse_short_finish(shorts[0], rows, vector(got)))
            np.testing.assert_allclose(got, lse.astype(np.float64), rtol=1e-6)


class CrossEntropy(unittest.TestCase):
    def expected(self, x, lists, v, eps, zeta):
        """Losses, z-losses, weights and gradient of their sum; lists of (class, weight)."""
        lse, p, log_p = softmax_of(x)
        rows, cols = x.shape
        loss, z_loss, weight = np.zeros((3, rows), np.longdouble)
        grad = np.zeros(x.shape, np.longdouble)
        for r, targets in enumerate(lists):
            if not targets:
                continue
            a = np.zeros(cols, np.longdouble)
            for c, w in targets:
                a[c] += (1 - eps) * w * v[c]
                weight[r] += w * v[c]
            a += sum(w for _, w in targets) * eps / cols * v
            loss[r] = -np.sum(a * log_p[r])
            z_loss[r] = zeta * lse[r]**2
            grad[r] = p[r] * (np.sum(a) + 2 * zeta * lse[r]) - a
        return loss, z_loss, weight, grad

    def test_against_numpy(self):
        rows, cols = 9, 400
        rng = np.random.default_rng(3)
        v = rng.uniform(0.5, 2, cols).astype(np.float32)
        for dtype in (np.float32, np.float64, np.float16):
            x = scores(rows, cols, dtype, masks=False)
            labels = rng.integers(0, cols, rows)
            labels[4] = -100
            for base, csr in ((0, False), (1, False), (1, True)):
                with self.subTest(dtype=dtype.__name__, base=base, csr=csr):
                    if csr:
                        counts = rng.integers(0, 4, rows)
                        starts = (np.concatenate([[0], np.cumsum(counts)]) + base).astype(np.int64)
                        entries = rng.integers(0, cols, counts.sum()).astype(np.int32)
                        weights = rng.uniform(0.1, 1, entries.size).astype(np.float32)
                        given = entries + np.int32(base)
                        targets = Csr(ids(starts, base), ids(given, base), vector(weights))
                        pairs = list(zip(entries, weights.astype(np.longdouble)))
                        lists = [pairs[starts[r] - base:starts[r + 1] - base] for r in range(rows)]
                    else:
                        given = np.where(labels < 0, labels, labels + base).astype(np.int64)
                        targets = Csr(Ids(), ids(given, base), Vector())
                        lists = [[] if c < 0 else [(c, 1)] for c in labels]
                    o = options(CrossEntropyOptions, label_smoothing=0.1, z_loss=1e-3, class_weight=vector(v),
                                reduction=MEAN)
                    loss, z_loss, grad = np.empty(rows, wide(dtype)), np.empty(rows, wide(dtype)), np.empty_like(x)
                    totals = np.empty(3)
                    at = totals.ctypes.data
                    out = options(CrossEntropyOut, loss=vector(loss), z_loss=vector(z_loss), grad=matrix(grad),
                                  total=at, total_z_loss=at + 8, total_weight=at + 16, grad_scale=64.0)
                    check(vmx_cross_entropy(None, None, matrix(x), targets, out, o))
                    e_loss, e_z, e_weight, e_grad = self.expected(x, lists, v.astype(np.longdouble), 0.1, 1e-3)
                    close = dict(rtol=1e-12 if dtype == np.float64 else 3e-6, atol=1e-30)
                    np.testing.assert_allclose(loss, e_loss.astype(np.float64), **close)
                    np.testing.assert_allclose(z_loss, e_z.astype(np.float64), **close)
                    np.testing.assert_allclose(totals, [float(s) for s in (
                        (e_loss + e_z).sum() / e_weight.sum(), e_z.sum() / e_weight.sum(), e_weight.sum())], **close)
                    e_grad *= 64 / e_weight.sum()
                    u = np.finfo(dtype).eps
                    np.testing.assert_allclose(grad, e_grad.astype(np.float64), rtol=30 * u, atol=2 * u)


class Topk(unittest.TestCase):
    def test_against_numpy(self):
        for dtype in (np.float32, np.float64, np.float16):
            x0 = scores(5, 3000, dtype)
            x0[:, 100:200] = x0[:, :100]  # ties
            order = np.argsort(-x0.astype(np.float64), axis=1, kind="stable")
            rising = np.argsort(x0.astype(np.float64), axis=1, kind="stable")
            for name, x in layouts(x0):
                for flags, ranks in ((0, order), (SMALLEST, rising)):
                    with self.subTest(dtype=dtype.__name__, layout=name, flags=flags):
                        values, found = np.empty((5, 60), dtype), np.empty((5, 60), np.int32)
                        o = options(TopkOptions, flags=flags)
                        check(vmx_topk(None, None, matrix(x), 60, matrix(values), matrix(found), None, o))
                        np.testing.assert_array_equal(found, ranks[:, :60])
                        np.testing.assert_array_equal(values, np.take_along_axis(x0, ranks[:, :60], axis=1))

    def test_exclusions_and_shards(self):
        x = scores(4, 1000, np.float32, 8, masks=False)
        whole = np.argsort(-x, axis=1, kind="stable")
        banned = np.ascontiguousarray(whole[:, :3])  # the best three of each row
        starts = np.arange(5, dtype=np.int64) * 3
        excluded = Csr(ids(starts), ids(banned.reshape(-1)), Vector())
        values, found = np.empty((4, 20), np.float32), np.empty((4, 20), np.int64)
        for shard, begin in enumerate((0, 400)):  # the lists of two shards side by side
            part = x[:, begin:begin + 600]
            o = options(TopkOptions, col_offset=begin, excluded=excluded)
            half = np.s_[:, 10 * shard:10 * shard + 10]
            cols = 400 if begin == 0 else 600
            check(vmx_topk(None, None, matrix(part[:, :cols]), 10, matrix(values[half]), matrix(found[half]), None, o))
        best, best_ids = np.empty((4, 10), np.float32), np.empty((4, 10), np.int64)
        check(vmx_topk_merge(None, None, matrix(values), matrix(found), 10, matrix(best), matrix(best_ids), None, None))
        np.testing.assert_array_equal(best_ids, whole[:, 3:13])

        few = np.full((1, 4), -1, np.int64)
        three = np.array([[1, 2, 3, 4]], np.float32)
        all_but_one = np.array([0, 2, 3], np.int64)
        one_row = np.array([0, 3], np.int64)
        o = options(TopkOptions, excluded=Csr(ids(one_row), ids(all_but_one), Vector()))
        flags = np.zeros(1, np.uint32)
        check(vmx_topk(None, None, matrix(three), 4, None, matrix(few), flags.ctypes.data, o))
        self.assertEqual((list(few[0]), flags[0]), ([1, -1, -1, -1], ROW_UNDERFULL))


class Vectors(unittest.TestCase):
    def cases(self, file, *ops):
        with open(os.path.join(os.environ["VASTMAX_VECTORS"], file), encoding="utf-8") as f:
            found = [case for case in json.load(f)["cases"] if case["op"] in ops]
        self.assertGreater(len(found), 10)
        return found

    @staticmethod
    def floats(hexes):
        return np.array([[struct.unpack(">f", bytes.fromhex(h))[0] for h in hexes]], np.float32)

    @staticmethod
    def reals(decimals):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some lie beyond a long double
            return np.array([[np.longdouble(d) for d in decimals]])

    def test_smooth(self):
        u = 2.0**-24
        for case in self.cases("smooth.json", "softmax", "softmax_t"):
            with self.subTest(case["id"]):
                x = self.floats(case["in"]["z"])
                t = self.floats([case["in"].get("temperature", "3f800000")])
                o = options(SoftmaxOptions, temperature=t.ctypes.data)
                y, lse = np.empty_like(x), np.empty(1, np.float32)
                check(vmx_softmax(None, None, matrix(x), matrix(y), vector(lse), None, o))
                e_lse = np.longdouble(case["out"]["lse"])
                if np.isfinite(e_lse):
                    self.assertLessEqual(abs(lse[0] - e_lse), u * max(1, abs(e_lse)) + 16 * u)
                else:
                    np.testing.assert_array_equal(lse[0], np.float32(e_lse))
                if case["out"].get("softmax") is not None:
                    p = self.reals(case["out"]["softmax"])
                    if np.all(np.isnan(p)):
                        self.assertTrue(np.all(np.isnan(y)))
                        continue
                    with np.errstate(invalid="ignore", over="ignore"):
                        d = np.nan_to_num((np.max(x) - x).astype(np.longdouble) / t, posinf=0)
                    self.assertTrue(np.all(np.abs(y - p) <= (8 + d) * u * p + 2.0**-126))

    def test_cross_entropy(self):
        for case in self.cases("smooth.json", "cross_entropy"):
            with self.subTest(case["id"]):
                given = case["in"]
                x = self.floats(given["z"])
                label = np.array([given["label"]], np.int64)
                o = options(CrossEntropyOptions, reduction=SUM)
                for key in ("label_smoothing", "softcap", "z_loss"):
                    if key in given:
                        setattr(o, key, float(self.floats([given[key]])[0, 0]))
                if "class_weight" in given:
                    weights = self.floats(given["class_weight"])[0]
                    o.class_weight = vector(weights)
                grad, total = np.empty_like(x), np.empty(1)
                out = options(CrossEntropyOut, grad=matrix(grad), total=total.ctypes.data)
                check(vmx_cross_entropy(None, None, matrix(x), Csr(Ids(), ids(label), Vector()), out, o))
                loss, e_grad = np.longdouble(case["out"]["loss"]), self.reals(case["out"]["grad"])
                finite = x[np.isfinite(x)].astype(np.float64)
                close = 2.0**-24 * (32 + np.max(finite, initial=0) - np.min(finite, initial=0))
                if np.isfinite(loss):
                    self.assertLessEqual(abs(total[0] - loss), close * max(abs(loss), 1))
                else:
                    np.testing.assert_array_equal(total[0], np.float64(loss))
                with np.errstate(invalid="ignore"):
                    fine = np.abs(grad - e_grad) <= close * np.maximum(1, np.abs(e_grad))
                self.assertTrue(np.all(fine | (np.isnan(grad) & np.isnan(e_grad))))

    def test_topk(self):
        for case in self.cases("select.json", "topk"):
            with self.subTest(case["id"]):
                x, k = self.floats(case["in"]["z"]), case["in"]["k"]
                found = np.empty((1, k), np.int64)
                check(vmx_topk(None, None, matrix(x), k, None, matrix(found), None, None))
                self.assertEqual(list(found[0]), case["out"]["index"])


class Errors(unittest.TestCase):
    def test_status_and_message(self):
        x, y, lse = scores(2, 8, np.float32), np.full((2, 8), 7, np.float32), np.full(2, 7, np.float32)
        hot = options(SoftmaxOptions, struct_size=3)
        grown = options(SoftmaxOptions, flags=64)
        label = np.array([3, 8], np.int64)
        total = np.full(1, 7.0)
        out = options(CrossEntropyOut, total=total.ctypes.data)
        targets = Csr(Ids(), ids(label), Vector())
        table = [
            (NULL, "vmx_softmax: x is NULL", lambda: vmx_softmax(None, None, None, matrix(y), None, None, None)),
            (SHAPE, "vmx_softmax: y.cols is 7, but x.cols is 8",
             lambda: vmx_softmax(None, None, matrix(x), matrix(y[:, :7]), None, None, None)),
            (DTYPE, "vmx_logsumexp: lse.dtype is 4 (f64), but must be one of f32",
             lambda: vmx_logsumexp(None, None, matrix(x), vector(total), None, None)),
            (OVERLAP, "vmx_softmax: y overlaps x without being exactly the same view",
             lambda: vmx_softmax(None, None, matrix(x), matrix(x[::-1]), None, None, None)),
            (OVERLAP, "vmx_logsumexp: lse overlaps x",
             lambda: vmx_logsumexp(None, None, matrix(x), vector(x[0, :2]), None, None)),
            (STRUCT, "vmx_softmax: options.struct_size is 3, but must be at least 32",
             lambda: vmx_softmax(None, None, matrix(x), matrix(y), None, None, hot)),
            (VALUE, "vmx_softmax: options.flags has unknown bits 0x40",
             lambda: vmx_softmax(None, None, matrix(x), matrix(y), None, None, grown)),
            (VALUE, "vmx_topk: k is 0", lambda: vmx_topk(None, None, matrix(x), 0, matrix(y), None, None, None)),
            (LABEL, "vmx_cross_entropy: targets.ids[1] (row 1) is 8, outside [0, 8)",
             lambda: vmx_cross_entropy(None, None, matrix(x), targets, out, None)),
        ]
        for status, text, call in table:
            self.assertEqual(call(), status, text)
            self.assertTrue(last_error().startswith(text), last_error())
        self.assertTrue(np.all(y == 7) and np.all(lse == 7) and total[0] == 7)
        self.assertEqual(vmx_status_string(LABEL), b"a label or class id is out of range")
        self.assertEqual(vmx_status_string(-5), b"unknown status")

    def test_message_is_cut_and_belongs_to_its_thread(self):
        self.assertEqual(vmx_softmax(None, None, None, None, None, None, None), NULL)
        text = C.create_string_buffer(8)
        self.assertEqual(vmx_last_error(text, 8), len("vmx_softmax: x is NULL"))
        self.assertEqual(text.value, b"vmx_sof")
        seen = []
        other = threading.Thread(target=lambda: seen.append(last_error()))
        other.start()
        other.join()
        self.assertEqual(seen, [""])


class Contexts(unittest.TestCase):
    def setUp(self):
        self.x = scores(5, 70000, np.float32)
        self.expected = np.empty_like(self.x)
        check(vmx_softmax(None, None, matrix(self.x), matrix(self.expected), None, None, None))

    def run_with(self, callback):
        """Status and result of a softmax whose tasks a Python function runs."""
        function_pointer = PARALLEL_FOR(callback)  # must outlive the context
        ctx = context(threads=4, parallel_for=function_pointer, parallel_for_user=0x1234)
        y = np.empty_like(self.x)
        status = vmx_softmax(ctx, None, matrix(self.x), matrix(y), None, None, None)
        vmx_context_destroy(ctx)
        return status, y

    def test_parallel_for_in_python(self):
        seen = []

        def two_threads(user, n, task, argument):
            seen.append((user, n))
            threads = [threading.Thread(target=lambda f=first: [task(argument, i) for i in range(f, n, 2)])
                       for first in (1, 0)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return 0

        status, y = self.run_with(two_threads)
        self.assertEqual(status, OK, last_error())
        self.assertEqual(y.tobytes(), self.expected.tobytes())
        self.assertTrue(seen and all(user == 0x1234 and n > 1 for user, n in seen))

    def test_a_callback_that_calls_back(self):
        lse = np.empty(5, np.float32)

        def backwards(user, n, task, argument):
            check(vmx_logsumexp(None, None, matrix(self.x), vector(lse), None, None))
            for i in reversed(range(n)):
                task(argument, i)
            return 0

        status, y = self.run_with(backwards)
        self.assertEqual(status, OK, last_error())
        self.assertEqual(y.tobytes(), self.expected.tobytes())

    def test_callbacks_that_break_their_contract(self):
        def fails(user, n, task, argument):
            for i in range(n):
                task(argument, i)
            return 3

        def forgets(user, n, task, argument):
            for i in range(1, n):
                task(argument, i)
            return 0

        def raises(user, n, task, argument):
            raise RuntimeError("in Python")

        self.assertEqual(self.run_with(fails)[0], CALLBACK)
        self.assertEqual(last_error(), "vmx_softmax: parallel_for returned 3")
        self.assertEqual(self.run_with(forgets)[0], CALLBACK)
        self.assertRegex(last_error(), r"^vmx_softmax: parallel_for ran \d+ tasks instead of \d+$")
        unraised = []
        sys.unraisablehook, kept = lambda problem: unraised.append(problem.exc_value), sys.unraisablehook
        try:
            self.assertEqual(self.run_with(raises)[0], CALLBACK)
        finally:
            sys.unraisablehook = kept
        self.assertEqual(str(unraised[0]), "in Python")

    def test_allocation_hooks_and_a_workspace(self):
        libc = C.CDLL(None)
        libc.aligned_alloc.argtypes, libc.aligned_alloc.restype = (size_t, size_t), ptr
        libc.free.argtypes, libc.free.restype = (ptr,), None
        live, calls = {}, []

        def alloc(user, size, alignment):
            memory = libc.aligned_alloc(alignment, size)
            live[memory] = size
            calls.append(size)
            return memory

        def free(user, memory, size, alignment):
            self.assertEqual(live.pop(memory), size)
            libc.free(memory)

        hooks = ALLOC(alloc), FREE(free)
        ctx = context(alloc=hooks[0], free=hooks[1])
        ws = ptr()
        check(vmx_workspace_create(ctx, C.byref(ws)))
        label = np.zeros(5, np.int64)
        total = np.empty(1)
        out = options(CrossEntropyOut, total=total.ctypes.data)
        for _ in range(3):
            check(vmx_cross_entropy(ctx, ws, matrix(self.x), Csr(Ids(), ids(label), Vector()), out, None))
            if len(calls) > 3:
                self.fail("a warm workspace allocates")
        self.assertGreater(vmx_workspace_capacity(ws), 0)
        vmx_workspace_destroy(ws)
        vmx_context_destroy(ctx)
        self.assertEqual(live, {})

    def test_own_pool(self):
        ctx = context(threads=3)
        self.assertEqual(vmx_context_threads(ctx), 3)
        y = np.empty_like(self.x)
        check(vmx_softmax(ctx, None, matrix(self.x), matrix(y), None, None, None))
        self.assertEqual(y.tobytes(), self.expected.tobytes())
        vmx_context_destroy(ctx)

    def test_linear(self):
        rng = np.random.default_rng(1)
        hidden, weights = rng.normal(size=(6, 20)).astype(np.float32), rng.normal(size=(500, 20)).astype(np.float32)
        lse = np.empty(6, np.float32)
        linear = options(Linear, weights=matrix(weights))
        status = vmx_linear_logsumexp(None, None, matrix(hidden), linear, vector(lse), None, None)
        if vmx_onednn_version() == b"":
            self.assertEqual(status, UNSUPPORTED)
            return
        check(status)
        expected = softmax_of(hidden.astype(np.longdouble) @ weights.astype(np.longdouble).T)[0]
        np.testing.assert_allclose(lse, expected.astype(np.float64), rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
