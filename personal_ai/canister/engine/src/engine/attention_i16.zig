//! Causal attention over keys and values kept as 16-bit numbers: half the memory of f32 and a third of its cost.
//!
//! Positions lie in groups of four. Of each head a group keeps four f32 scales (one per position), then its numbers: of
//! keys, pair by pair of elements, the pair of each of the four positions; of values, for each four elements, those of
//! positions 0 and 1 in turn, then those of 2 and 3. So one `dot` scores two elements of four keys, or mixes two
//! positions of four elements, and neither ends in a sum across lanes.
//!
//! The one arithmetic. A query, a key and a value are quantised by themselves, with a scale for each head. Weights are
//! 2^(score log2 e - greatest), times the value's scale, quantised with a scale for each 64 positions (counted from
//! position 0). Sums of products are exact integers over at most 64 elements or positions, added in order as f32.
//! Nothing depends on the rows computed together; numbers of positions that do not count are multiplied with 0.
//!
//! No overflow: 64 * kept_level * query_level = 2,146,697,280 < 2^31, and the same with weight_level. All numbers are
//! written by this file at these levels; only what was NaN or infinite before goes beyond, and wraps.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const functions = @import("functions.zig");
const quantise = @import("quantise.zig");
const Matrix = @import("matrix.zig").Matrix;
const attention = @import("attention.zig");
const Shape = attention.Shape;
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

const kept_level = 4095;
const query_level = 8191;
const weight_level = 8191;
const group = format.group;
const block = format.block;
const chunk = format.state_chunk; // positions that `mix` takes at once

comptime {
    std.debug.assert(block * kept_level * @max(query_level, weight_level) <= std.math.maxInt(i32));
}

/// Keys or values: groups of four positions at equal distances, in each the regions of all heads.
pub const Kept = struct {
    base: [*]align(16) u8,
    group_stride_bytes: usize,

    fn at(kept: Kept, group_index: usize, head: usize, head_size: usize) [*]I16x8 {
        const start: [*]I16x8 = @ptrCast(@alignCast(kept.base + group_index * kept.group_stride_bytes));
        return start + head * regionVectors(head_size);
    }

    fn strideVectors(kept: Kept) usize {
        return kept.group_stride_bytes / @sizeOf(I16x8);
    }
};

/// Vectors of a head in a group: scales, then numbers.
fn regionVectors(head_size: usize) usize {
    return 1 + head_size / 2;
}

/// Bytes that a position takes.
pub fn rowSizeBytes(heads: u64, head_size: u64) u64 {
    return heads * (4 + 2 * head_size);
}

/// Memory for one head at one position.
const Scratch = struct {
    scores: [*]F32x4,
    weights: [*]I16x8,
    weight_scales: [*]f32,
    numbers: [*]I16x8,

    fn of(memory: [*]align(64) u8, context_length_max: usize) Scratch {
        const padded = std.mem.alignForward(usize, context_length_max, block);
        const weights = memory + padded * 4;
        const scales = weights + padded * 2;
        return .{
            .scores = @ptrCast(memory),
            .weights = @ptrCast(@alignCast(weights)),
            .weight_scales = @ptrCast(@alignCast(scales)),
            .numbers = @ptrCast(@alignCast(scales + std.mem.alignForward(usize, padded / block * 4, 64))),
        };
    }
};

pub fn scratchSizeBytes(context_length_max: usize) usize {
    const padded = std.mem.alignForward(usize, context_length_max, block);
    return padded * 6 + std.mem.alignForward(usize, padded / block * 4, 64) + format.kept_head_size_max * 2;
}

/// Keeps the rows of k and v [sequence, key_heads * head_size] at positions from `past`, then
/// y [sequence, heads * head_size] = softmax(q keys * scale) values, head by head. Positions up to the next multiple
/// of 16 are read, never used.
pub fn attend(
    q: Matrix,
    k: Matrix,
    v: Matrix,
    keys: Kept,
    values: Kept,
    shape: Shape,
    past: usize,
    y: Matrix,
    memory: [*]align(64) u8,
    context_length_max: usize,
) void {
    const scratch = Scratch.of(memory, context_length_max);
    const head_vectors = shape.head_size / 4;
    for (0..q.rows) |row| {
        for (0..shape.key_heads) |head| {
            keepKey(k.vectors(row) + head * head_vectors, keys, head, past + row, shape.head_size, scratch.numbers);
            keepValue(v.vectors(row) + head * head_vectors, values, head, past + row, shape.head_size, scratch.numbers);
        }
    }
    for (0..q.rows) |row| {
        const end = past + row + 1;
        const first = if (shape.window == 0) 0 else end -| shape.window;
        for (0..shape.heads) |head| {
            const key_head = head / (shape.heads / shape.key_heads);
            const query = q.vectors(row) + head * head_vectors;
            const span = Span.of(first, end);
            score(query, keys, key_head, shape, span, scratch);
            attention.capScores((scratch.scores + span.offset())[0..span.groupCount()], shape.cap * std.math.log2e);
            const factor = weigh(values, key_head, shape.head_size, span, scratch);
            mix(values, key_head, shape.head_size, span, scratch, factor, y.vectors(row) + head * head_vectors);
        }
    }
}

fn keepKey(
    from: [*]const F32x4,
    keys: Kept,
    head: usize,
    position: usize,
    head_size: usize,
    numbers: [*]I16x8,
) void {
    const region = keys.at(position / group, head, head_size);
    const lane = position % group;
    const scale = quantise.span(kept_level, from, numbers, head_size / 8);
    const pairs: [*]const i32 = @ptrCast(numbers);
    const words: [*]i32 = @ptrCast(region);
    words[lane] = @bitCast(scale);
    for (0..head_size / 2) |i| words[group + i * group + lane] = pairs[i];
}

fn keepValue(
    from: [*]const F32x4,
    values: Kept,
    head: usize,
    position: usize,
    head_size: usize,
    numbers: [*]I16x8,
) void {
    const region = values.at(position / group, head, head_size);
    const lane = position % group;
    const scale = quantise.span(kept_level, from, numbers, head_size / 8);
    const words: [*]f32 = @ptrCast(region);
    words[lane] = scale;
    const elements: [*]const i16 = @ptrCast(numbers);
    const fours: [*][2][4][2]i16 = @ptrCast(region + 1);
    for (0..head_size / 4) |i| {
        inline for (0..4) |j| fours[i][lane / 2][j][lane % 2] = elements[4 * i + j];
    }
}

/// The positions first..end that a token sees, and where their scores lie: from the block that `first` is in.
const Span = struct {
    first: usize,
    end: usize,
    base: usize,

    fn of(first: usize, end: usize) Span {
        return .{ .first = first, .end = end, .base = first / block * block };
    }

    fn firstGroup(span: Span) usize {
        return span.first / group;
    }

    fn groupCount(span: Span) usize {
        return (span.end + group - 1) / group - span.firstGroup();
    }

    /// Where the first group's scores lie among those from `base`.
    fn offset(span: Span) usize {
        return span.firstGroup() - span.base / group;
    }

    fn blockCount(span: Span) usize {
        return (span.end - span.base + block - 1) / block;
    }

    /// Sets what does not count in the first and last blocks.
    fn setOthers(span: Span, scores: [*]F32x4, from: usize, to: usize, value: f32) void {
        fill(scores, from, span.first - span.base, value);
        fill(scores, span.end - span.base, to, value);
    }

    fn fill(scores: [*]F32x4, from: usize, to: usize, value: f32) void {
        const flat: [*]f32 = @ptrCast(scores);
        var at = from;
        while (at < to and at % 4 != 0) : (at += 1) flat[at] = value;
        while (at + 4 <= to) : (at += 4) scores[at / 4] = simd.splat(value);
        while (at < to) : (at += 1) flat[at] = value;
    }
};

/// Scores times log2 e, for whole groups.
fn score(query: [*]const F32x4, keys: Kept, head: usize, shape: Shape, span: Span, scratch: Scratch) void {
    const scale = quantise.span(query_level, query, scratch.numbers, shape.head_size / 8);
    const factor = scale * (shape.scale * std.math.log2e);
    const scores = scratch.scores + span.offset();
    for (0..span.groupCount()) |i| scores[i] = simd.splat(0);
    const region = keys.at(span.firstGroup(), head, shape.head_size);
    const pairs: [*]const i32 = @ptrCast(scratch.numbers);
    var done: usize = 0;
    inline for (.{ 32, 16, 8, 4 }) |size| {
        while (shape.head_size / 2 - done >= size) : (done += size) {
            const numbers = region + 1 + done;
            Score(size).run(pairs + done, factor, numbers, 1 + done, keys.strideVectors(), scores, span.groupCount());
        }
    }
}

/// `size` pairs of elements of one query against groups of four keys.
fn Score(comptime size: usize) type {
    return struct {
        noinline fn run(
            query: [*]const i32,
            factor: f32,
            first: [*]const I16x8,
            back_to_scales: usize,
            stride: usize,
            scores: [*]F32x4,
            groups: usize,
        ) void {
            var q: [size]I16x8 = undefined;
            inline for (0..size) |i| q[i] = simd.repeatedPair(query[i]);
            var next = first;
            var target = scores;
            const end = scores + groups;
            while (target != end) : (target += 1) {
                const keys = simd.opaquePointer(next);
                var products = simd.dot(keys[0], q[0]);
                inline for (1..size) |i| products +%= simd.dot(keys[i], q[i]);
                const scales: F32x4 = @bitCast((keys - back_to_scales)[0]);
                target[0] += simd.toFloat(products) * (scales * simd.splat(factor));
                next = keys + stride;
            }
        }
    };
}

/// Turns scores into quantised weights and gives 1 / (the sum of the weights before the values' scales).
fn weigh(values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch) f32 {
    const groups = span.groupCount();
    const scores = scratch.scores + span.offset();
    const lowest = -std.math.inf(f32);
    span.setOthers(scratch.scores, span.offset() * group, (span.offset() + groups) * group, lowest);
    var most = scores[0];
    for (1..groups) |i| most = simd.greater(most, scores[i]);
    const greatest = simd.splat(simd.greatest(most));
    const scales = values.at(span.firstGroup(), head, head_size);
    const total = exponentiate(scores, groups, greatest, scales, values.strideVectors());
    span.setOthers(scratch.scores, 0, span.blockCount() * block, 0);
    for (0..span.blockCount()) |i| {
        const target = scratch.weights + i * (block / 8);
        scratch.weight_scales[i] = quantise.block(weight_level, scratch.scores + i * (block / 4), target);
    }
    return 1 / simd.sum(total);
}

/// Makes scores 2^(score - greatest) times their value's scale, and gives the sums without the scales.
fn exponentiate(scores: [*]F32x4, groups: usize, greatest: F32x4, scales: [*]const I16x8, stride: usize) F32x4 {
    const unroll = 4;
    var total = simd.splat(0);
    var target = scores;
    var scale = scales;
    const end = scores + groups;
    const whole = scores + groups / unroll * unroll;
    while (target != whole) : (target += unroll) {
        const t = simd.opaquePointer(target);
        inline for (0..unroll) |i| {
            scale = simd.opaquePointer(scale);
            total += exponentiateOne(&t[i], greatest, scale);
            scale += stride;
        }
    }
    while (target != end) : (target += 1) {
        total += exponentiateOne(&target[0], greatest, scale);
        scale += stride;
    }
    return total;
}

inline fn exponentiateOne(score_or_weight: *F32x4, greatest: F32x4, scale: [*]const I16x8) F32x4 {
    const weight = functions.powerOfTwo(score_or_weight.* - greatest);
    score_or_weight.* = weight * @as(F32x4, @bitCast(scale[0]));
    return weight;
}

/// target = factor * sum of weight * value
fn mix(values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch, factor: f32, target: [*]F32x4) void {
    const first_chunk = (span.first - span.base) / chunk;
    const end_chunk = (span.end - span.base + chunk - 1) / chunk;
    const region = values.at((span.base + first_chunk * chunk) / group, head, head_size) + 1;
    const weights = Weights{
        .pairs = @ptrCast(scratch.weights),
        .scales = scratch.weight_scales,
        .first_chunk = first_chunk,
        .end_chunk = end_chunk,
        .factor = factor,
    };
    var done: usize = 0;
    inline for (.{ 16, 8, 4, 2 }) |size| {
        while (head_size / 4 - done >= size) : (done += size) {
            Mix(size).run(region + 2 * done, values.strideVectors(), &weights, target + done);
        }
    }
}

const Weights = struct {
    pairs: [*]const [chunk / 2]i32,
    scales: [*]const f32,
    first_chunk: usize,
    end_chunk: usize,
    factor: f32,
};

/// `size` vectors of four elements of the values, all positions.
fn Mix(comptime size: usize) type {
    return struct {
        noinline fn run(first: [*]const I16x8, stride: usize, weights: *const Weights, target: [*]F32x4) void {
            var total: [size]F32x4 = undefined;
            inline for (0..size) |i| total[i] = simd.splat(0);
            var values = first;
            var at = weights.first_chunk;
            while (at < weights.end_chunk) {
                const block_index = at / (block / chunk);
                const stop = @min(weights.end_chunk, (block_index + 1) * (block / chunk));
                var sums: [size]simd.I32x4 = undefined;
                inline for (0..size) |i| sums[i] = @splat(0);
                while (at < stop) : (at += 1) {
                    addChunk(values, stride, &weights.pairs[at], &sums);
                    values += chunk / group * stride;
                }
                const scale = simd.splat(weights.scales[block_index]);
                inline for (0..size) |i| total[i] += simd.toFloat(sums[i]) * scale;
            }
            inline for (0..size) |i| target[i] = total[i] * simd.splat(weights.factor);
        }

        inline fn addChunk(
            first: [*]const I16x8,
            stride: usize,
            pairs: *const [chunk / 2]i32,
            sums: *[size]simd.I32x4,
        ) void {
            var values: [chunk / group][*]const I16x8 = undefined;
            inline for (0..chunk / group) |i| {
                values[i] = simd.opaquePointer(if (i == 0) first else values[i - 1] + stride);
            }
            var weights: [chunk / 2]I16x8 = undefined;
            inline for (0..chunk / 2) |i| weights[i] = simd.repeatedPair(pairs[i]);
            inline for (0..size) |i| {
                inline for (0..chunk / 2) |j| sums[i] +%= simd.dot(values[j / 2][2 * i + j % 2], weights[j]);
            }
        }
    };
}

const testing = std.testing;

const Case = struct {
    const context = 150;
    const state_rows = 160;
    const width_max = 3 * 72;
    q: [context * width_max]f32 align(16) = undefined,
    k: [context * width_max]f32 align(16) = undefined,
    v: [context * width_max]f32 align(16) = undefined,
    y: [context * width_max]f32 align(16) = undefined,
    state: [state_rows * 2 * (width_max * 2 + 3 * 4)]u8 align(16) = undefined,
    scratch: [4096]u8 align(64) = undefined,

    fn rows(values: []align(16) f32, first: usize, count: usize, columns: usize) Matrix {
        const base: [*]align(16) u8 = @ptrCast(values.ptr);
        return .{
            .base = @alignCast(base + first * columns * 4),
            .stride_bytes = columns * 4,
            .rows = count,
            .columns = columns,
        };
    }

    /// Runs `splits` in turn, into `y`, on a state full of `rubbish`.
    fn run(case: *Case, shape: Shape, splits: []const usize, rubbish: u8) void {
        const width = shape.heads * shape.head_size;
        const key_width = shape.key_heads * shape.head_size;
        const row_size = rowSizeBytes(shape.key_heads, shape.head_size);
        const keys = Kept{ .base = &case.state, .group_stride_bytes = 8 * row_size };
        const values = Kept{ .base = @alignCast(keys.base + 4 * row_size), .group_stride_bytes = 8 * row_size };
        @memset(&case.state, rubbish);
        var past: usize = 0;
        for (splits) |count| {
            const q = rows(&case.q, past, count, width);
            const k = rows(&case.k, past, count, key_width);
            const v = rows(&case.v, past, count, key_width);
            const y = rows(&case.y, past, count, width);
            attend(q, k, v, keys, values, shape, past, y, &case.scratch, context);
            past += count;
        }
    }

    fn expected(case: *Case, shape: Shape, position: usize, head: usize, index: usize) f64 {
        const size = shape.head_size;
        const key_at = head / (shape.heads / shape.key_heads) * size;
        const key_width = shape.key_heads * size;
        const first = if (shape.window == 0) 0 else (position + 1) -| shape.window;
        var total: f64 = 0;
        var mixed: f64 = 0;
        for (first..position + 1) |other| {
            var product: f64 = 0;
            for (0..size) |i| {
                const query: f64 = case.q[(position * shape.heads + head) * size + i];
                product += query * case.k[other * key_width + key_at + i];
            }
            const score_of = product * shape.scale;
            const weight = @exp(if (shape.cap > 0) shape.cap * std.math.tanh(score_of / shape.cap) else score_of);
            total += weight;
            mixed += weight * case.v[other * key_width + key_at + index];
        }
        return mixed / total;
    }
};

test "near plain attention; the bits depend on neither split nor stale memory" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    case.* = .{};
    try testing.expect(scratchSizeBytes(Case.context) <= case.scratch.len);
    var prng = std.Random.DefaultPrng.init(1);
    for ([_]*[Case.context * Case.width_max]f32{ &case.q, &case.k, &case.v }) |values| {
        for (values) |*value| value.* = prng.random().floatNorm(f32);
    }
    const shapes = [_]Shape{
        .{ .heads = 3, .key_heads = 1, .head_size = 64, .window = 0, .scale = 0.125, .cap = 0 },
        .{ .heads = 3, .key_heads = 3, .head_size = 72, .window = 0, .scale = 0.1, .cap = 2 },
        .{ .heads = 2, .key_heads = 1, .head_size = 8, .window = 7, .scale = 0.5, .cap = 0 },
        .{ .heads = 1, .key_heads = 1, .head_size = 152, .window = 70, .scale = 0.05, .cap = 0.5 },
    };
    for (shapes) |shape| {
        const size = Case.context * shape.heads * shape.head_size;
        case.run(shape, &.{Case.context}, 0xff);
        for (0..Case.context / 7) |sample| for (0..shape.heads) |head| {
            const position = 7 * sample;
            const i = (position * 5 + head) % shape.head_size;
            const got = case.y[(position * shape.heads + head) * shape.head_size + i];
            try testing.expectApproxEqAbs(case.expected(shape, position, head, i), got, 1e-3);
        };
        const whole = try testing.allocator.dupe(f32, case.y[0..size]);
        defer testing.allocator.free(whole);
        case.run(shape, &(.{1} ** Case.context), 0x7f);
        try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..size]));
        case.run(shape, &.{ 3, 61, 1, 17, 32, 36 }, 0);
        try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..size]));
    }
}

test "the largest numbers do not overflow" {
    const products: i64 = @as(i64, block) * kept_level * query_level;
    try testing.expect(products <= std.math.maxInt(i32));
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    case.* = .{};
    const shape = Shape{ .heads = 1, .key_heads = 1, .head_size = 64, .window = 0, .scale = 1e-6, .cap = 0 };
    for ([_]*[Case.context * Case.width_max]f32{ &case.q, &case.k, &case.v }) |values| @memset(values, 1000);
    case.run(shape, &.{128}, 0);
    for (case.y[0 .. 128 * 64]) |value| try testing.expectApproxEqRel(@as(f32, 1000), value, 1e-3);
}
