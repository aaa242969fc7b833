//! Causal attention over keys and values kept as f32 rows, one row per position.
//!
//! The result of a row depends on its own query and on positions up to its own, never on the rows computed with it:
//! scores are sums in a fixed order over the head, values are added position by position.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const functions = @import("functions.zig");
const elementwise = @import("elementwise.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;

pub const Shape = struct {
    heads: usize,
    key_heads: usize,
    head_size: usize,
    /// Positions that a token sees, its own included; 0: all.
    window: usize,
    scale: f32,
    /// A score x becomes cap tanh(x / cap); 0: it stays.
    cap: f32,
};

/// Bytes of scratch: the scores of one head at one position, in whole vectors.
pub fn scratchSizeBytes(context_length_max: usize) usize {
    return std.mem.alignForward(usize, context_length_max, 4) * @sizeOf(f32);
}

const lowest = -std.math.inf(f32);

/// Writes the rows of k and v [sequence, key_heads * head_size] into the state at positions from `past`, then
/// y [sequence, heads * head_size] = softmax(q keys * scale) values, head by head. The state must have three rows
/// more than there are positions: they are read, never used.
pub fn attend(
    q: Matrix,
    k: Matrix,
    v: Matrix,
    keys: Matrix,
    values: Matrix,
    shape: Shape,
    past: usize,
    y: Matrix,
    scores: [*]F32x4,
) void {
    for (0..q.rows) |row| {
        elementwise.copyRow(k.vectors(row), keys.vectors(past + row), k.vectorCount());
        elementwise.copyRow(v.vectors(row), values.vectors(past + row), v.vectorCount());
    }
    const head_vectors = shape.head_size / 4;
    for (0..q.rows) |row| {
        const end = past + row + 1;
        const first = if (shape.window == 0) 0 else end -| shape.window;
        for (0..shape.heads) |head| {
            const key_head = head / (shape.heads / shape.key_heads);
            const query = q.vectors(row) + head * head_vectors;
            const target = y.vectors(row) + head * head_vectors;
            const part = key_head * head_vectors;
            const from = Rows{ .first = keys.vectors(first) + part, .stride_bytes = keys.stride_bytes };
            const to = Rows{ .first = values.vectors(first) + part, .stride_bytes = values.stride_bytes };
            attendHead(query, from, to, end - first, shape, target, scores);
        }
    }
}

/// One head's part of rows of keys or values.
pub const Rows = struct { first: [*]const F32x4, stride_bytes: usize };

/// target = softmax(query keys * scale) values, over `count` rows; three more rows of keys are read, never used.
pub fn attendHead(
    query: [*]const F32x4,
    keys: Rows,
    values: Rows,
    count: usize,
    shape: Shape,
    target: [*]F32x4,
    scores: [*]F32x4,
) void {
    score(query, keys.first, keys.stride_bytes, shape, scores, count);
    capScores(scores[0 .. (count + 3) / 4], shape.cap);
    const factor = softmax(scores, count);
    mix(values.first, values.stride_bytes, scores, count, shape, target);
    for (0..shape.head_size / 4) |i| target[i] *= simd.splat(factor);
}

/// scores[i] = scale * query . key i, four keys at a time: up to three more than `count` are read and scored.
fn score(
    query: [*]const F32x4,
    keys: [*]const F32x4,
    stride_bytes: usize,
    shape: Shape,
    scores: [*]F32x4,
    count: usize,
) void {
    const groups = (count + 3) / 4;
    for (0..groups) |group| scores[group] = simd.splat(0);
    var done: usize = 0;
    inline for (tile_sizes) |size| {
        while (shape.head_size / 4 - done >= size) : (done += size) {
            Tile(size).score(query + done, keys + done, stride_bytes / @sizeOf(F32x4), shape.scale, scores, groups);
        }
    }
}

/// Bends scores (Gemma 2's soft cap). Where they are scaled by a factor, so must be the cap.
pub fn capScores(scores: []F32x4, cap: f32) void {
    if (!(cap > 0)) return;
    const inverse = simd.splat(1 / cap);
    for (scores) |*four| four.* = simd.splat(cap) * functions.tanh(four.* * inverse);
}

/// Makes scores[0..count] e^(score - greatest) and gives 1 / their sum. The rest of the last vector becomes next to 0.
fn softmax(scores: [*]F32x4, count: usize) f32 {
    const groups = (count + 3) / 4;
    const flat: [*]f32 = @ptrCast(scores);
    for (count..groups * 4) |i| flat[i] = lowest;
    var most = scores[0];
    for (1..groups) |group| most = simd.greater(most, scores[group]);
    const greatest = simd.splat(simd.greatest(most));
    var total = simd.splat(0);
    for (0..groups) |group| {
        const weight = functions.exp(scores[group] - greatest);
        total += weight;
        scores[group] = weight;
    }
    return 1 / simd.sum(total);
}

/// target = sum of weights[i] * value i
fn mix(
    values: [*]const F32x4,
    stride_bytes: usize,
    weights: [*]const F32x4,
    count: usize,
    shape: Shape,
    target: [*]F32x4,
) void {
    var done: usize = 0;
    inline for (tile_sizes) |size| {
        while (shape.head_size / 4 - done >= size) : (done += size) {
            Tile(size).mix(values + done, stride_bytes / @sizeOf(F32x4), @ptrCast(weights), count, target + done);
        }
    }
}

const tile_sizes = [_]usize{ 16, 8, 4, 2, 1 };

/// `size` vectors of a head in locals.
fn Tile(comptime size: usize) type {
    return struct {
        noinline fn score(
            query: [*]const F32x4,
            first: [*]const F32x4,
            stride: usize,
            scale: f32,
            scores: [*]F32x4,
            groups: usize,
        ) void {
            var q: [size]F32x4 = undefined;
            inline for (0..size) |i| q[i] = query[i] * simd.splat(scale);
            var key = first;
            var target = scores;
            const end = scores + groups;
            while (target != end) : (target += 1) {
                var sums: [4]F32x4 = undefined;
                inline for (0..4) |lane| {
                    const k = simd.opaquePointer(key);
                    sums[lane] = k[0] * q[0];
                    inline for (1..size) |i| sums[lane] += k[i] * q[i];
                    key = k + stride;
                }
                target[0] += simd.sums(sums[0], sums[1], sums[2], sums[3]);
            }
        }

        noinline fn mix(first: [*]const F32x4, stride: usize, weights: [*]const f32, count: usize, target: [*]F32x4) void {
            var sums: [size]F32x4 = undefined;
            inline for (0..size) |i| sums[i] = simd.splat(0);
            var value = first;
            var weight = weights;
            const whole = weights + count / 4 * 4;
            const end = weights + count;
            while (weight != whole) {
                const w = simd.opaquePointer(weight);
                const v0 = simd.opaquePointer(value);
                const v1 = simd.opaquePointer(v0 + stride);
                const v2 = simd.opaquePointer(v1 + stride);
                const v3 = simd.opaquePointer(v2 + stride);
                const w0 = simd.splat(w[0]);
                const w1 = simd.splat(w[1]);
                const w2 = simd.splat(w[2]);
                const w3 = simd.splat(w[3]);
                inline for (0..size) |i| sums[i] = (((sums[i] + v0[i] * w0) + v1[i] * w1) + v2[i] * w2) + v3[i] * w3;
                value = v3 + stride;
                weight = w + 4;
            }
            while (weight != end) : (weight += 1) {
                const w = simd.splat(weight[0]);
                inline for (0..size) |i| sums[i] += value[i] * w;
                value += stride;
            }
            inline for (0..size) |i| target[i] = sums[i];
        }
    };
}

const attention_testing = @import("attention_testing.zig");
const Case = attention_testing.Case(Memory);

const Memory = struct {
    pub const context = 40;
    pub const width_max = 8 * 32;
    state: [(context + 3) * 2 * width_max]f32 align(16),
    scores: [context / 4]F32x4,

    pub fn fill(memory: *Memory, rubbish: u8) void {
        @memset(std.mem.sliceAsBytes(&memory.state), rubbish);
    }

    pub fn run(memory: *Memory, rows: attention_testing.Rows, shape: Shape, past: usize) void {
        const width = shape.key_heads * shape.head_size;
        const keys = Matrix{ .base = @ptrCast(&memory.state), .stride_bytes = width * 8, .rows = context, .columns = width };
        var values = keys;
        values.base = @alignCast(keys.base + width * 4);
        attend(rows.q, rows.k, rows.v, keys, values, shape, past, rows.y, &memory.scores);
    }
};

test "equals plain attention, whatever the heads, and the bits do not depend on the split" {
    const case = try Case.create();
    defer case.destroy();
    const shapes = [_]Shape{
        .{ .heads = 4, .key_heads = 2, .head_size = 64, .window = 0, .scale = 0.125, .cap = 0 },
        .{ .heads = 3, .key_heads = 1, .head_size = 28, .window = 0, .scale = 0.2, .cap = 1.5 },
        .{ .heads = 2, .key_heads = 2, .head_size = 4, .window = 7, .scale = 0.5, .cap = 0 },
        .{ .heads = 1, .key_heads = 1, .head_size = 160, .window = 5, .scale = 0.1, .cap = 0.5 },
    };
    for (shapes) |shape| try case.expectPlain(shape, Memory.context, 2e-6);
}
