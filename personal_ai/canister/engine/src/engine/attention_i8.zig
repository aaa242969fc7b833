//! Causal attention over keys and values kept as 8-bit numbers: a quarter of the memory of f32 and less than half of
//! its cost.
//!
//! Positions lie in groups of four. Of each head a group keeps four f32 scales (one per position), then its numbers: of
//! keys, pair by pair of elements, the pair of each of the four positions; of values, for each four elements, those of
//! positions 0 and 1 in turn, then those of 2 and 3. So one `dot` scores two elements of four keys, or mixes two
//! positions of four elements, and neither ends in a sum across lanes.
//!
//! The one arithmetic. Queries and keys are turned (hadamard.zig), which leaves their products and spreads what a few
//! channels hold over all. A query, a key and a value are quantised by themselves, with a scale for each head. Weights
//! are 2^(score log2 e - greatest), times the value's scale, quantised with a scale for each 512 positions (counted
//! from position 0). Sums of products are exact integers over at most 64 elements or 512 positions, added in order as
//! f32. Nothing depends on the rows computed together; numbers of positions that do not count are multiplied with 0.
//!
//! No overflow: 512 * kept_level * weight_level = 2,130,641,408 < 2^31, and 64 * kept_level * query_level is less. All
//! numbers are written by this file at these levels; only what was NaN or infinite before goes beyond, and wraps.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const functions = @import("functions.zig");
const hadamard = @import("hadamard.zig");
const quantise = @import("quantise.zig");
const Matrix = @import("matrix.zig").Matrix;
const attention = @import("attention.zig");
const Shape = attention.Shape;
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

const kept_level = 127;
const query_level = 32767;
const weight_level = 32767;
const group = format.group;
const chunk = format.state_chunk; // positions that `mix` takes at once
const chunk_groups = chunk / group;
const block = 512; // positions whose weights share a scale

comptime {
    std.debug.assert(block * kept_level * weight_level <= std.math.maxInt(i32));
    std.debug.assert(format.block * kept_level * query_level <= std.math.maxInt(i32));
}

/// Keys or values: groups of four positions at equal distances, in each the regions of all heads.
pub const Kept = struct {
    base: [*]align(16) u8,
    group_stride_bytes: usize,

    fn at(kept: Kept, group_index: usize, head: usize, head_size: usize) Region {
        const start: Region = @ptrCast(@alignCast(kept.base + group_index * kept.group_stride_bytes));
        return start + head * (1 + head_size / 4);
    }

    fn strideVectors(kept: Kept) usize {
        return kept.group_stride_bytes / @sizeOf(F32x4);
    }
};

/// A head in a group: a vector of scales, then the numbers.
const Region = [*]F32x4;

inline fn numbersOf(region: [*]const F32x4) [*]const [8]i8 {
    return @ptrCast(region + 1);
}

/// Bytes that a position takes.
pub fn rowSizeBytes(heads: u64, head_size: u64) u64 {
    return heads * (4 + head_size);
}

/// Memory for one head at one position.
const Scratch = struct {
    scores: [*]F32x4,
    weights: [*]I16x8,
    weight_scales: [*]f32,
    turned: [*]F32x4,
    numbers: [*]I16x8,

    fn of(memory: [*]align(64) u8, context_length_max: usize) Scratch {
        const padded = paddedLength(context_length_max);
        const weights = memory + padded * 4;
        const scales = weights + padded * 2;
        const turned = scales + scalesSizeBytes(padded);
        return .{
            .scores = @ptrCast(memory),
            .weights = @ptrCast(@alignCast(weights)),
            .weight_scales = @ptrCast(@alignCast(scales)),
            .turned = @ptrCast(@alignCast(turned)),
            .numbers = @ptrCast(@alignCast(turned + format.kept_head_size_max * 4)),
        };
    }

    fn paddedLength(context_length_max: usize) usize {
        return std.mem.alignForward(usize, context_length_max, format.block);
    }

    /// Positions may begin and end inside of a block.
    fn scalesSizeBytes(padded: usize) usize {
        return std.mem.alignForward(usize, (padded / block + 2) * @sizeOf(f32), 64);
    }
};

pub fn scratchSizeBytes(context_length_max: usize) usize {
    const padded = Scratch.paddedLength(context_length_max);
    return padded * 6 + Scratch.scalesSizeBytes(padded) + format.kept_head_size_max * 6;
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
            const part = head * head_vectors;
            keepKey(k.vectors(row) + part, keys, head, past + row, shape.head_size, scratch);
            keepValue(v.vectors(row) + part, values, head, past + row, shape.head_size, scratch);
        }
    }
    for (0..q.rows) |row| {
        const end = past + row + 1;
        const span = Span.of(if (shape.window == 0) 0 else end -| shape.window, end);
        for (0..shape.heads) |head| {
            const key_head = head / (shape.heads / shape.key_heads);
            score(q.vectors(row) + head * head_vectors, keys, key_head, shape, span, scratch);
            const scores = span.scores(scratch);
            attention.capScores(scores, shape.cap * std.math.log2e);
            const factor = weigh(scores, values, key_head, shape.head_size, span, scratch);
            mix(values, key_head, shape.head_size, span, scratch, factor, y.vectors(row) + head * head_vectors);
        }
    }
}

fn keepKey(from: [*]const F32x4, keys: Kept, head: usize, position: usize, head_size: usize, scratch: Scratch) void {
    const region = keys.at(position / group, head, head_size);
    const lane = position % group;
    hadamard.turn(from, scratch.turned, head_size);
    const scales: [*]f32 = @ptrCast(region);
    scales[lane] = quantise.span(kept_level, scratch.turned, scratch.numbers, head_size / 8);
    var target: [*][group]i16 = @ptrCast(region + 1);
    for (scratch.numbers[0 .. head_size / 8]) |numbers| {
        const pairs: I16x8 = @bitCast(simd.narrowToBytes(numbers, numbers));
        const to = simd.opaquePointer(target);
        inline for (0..4) |i| to[i][lane] = pairs[i];
        target = to + 4;
    }
}

fn keepValue(from: [*]const F32x4, values: Kept, head: usize, position: usize, head_size: usize, scratch: Scratch) void {
    const region = values.at(position / group, head, head_size);
    const lane = position % group;
    const scales: [*]f32 = @ptrCast(region);
    scales[lane] = quantise.span(kept_level, from, scratch.numbers, head_size / 8);
    const first: [*]i8 = @ptrCast(region + 1);
    var target = first + lane / 2 * 8 + lane % 2;
    for (scratch.numbers[0 .. head_size / 8]) |numbers| {
        const elements = simd.narrowToBytes(numbers, numbers);
        const to = simd.opaquePointer(target);
        inline for (0..8) |i| to[i / 4 * 16 + i % 4 * 2] = elements[i];
        target = to + 32;
    }
}

/// The positions first..end that a token sees. Scores and weights lie from the chunk on that `first` is in.
const Span = struct {
    first: usize,
    end: usize,
    base: usize,

    fn of(first: usize, end: usize) Span {
        return .{ .first = first, .end = end, .base = first / chunk * chunk };
    }

    fn firstGroup(span: Span) usize {
        return span.first / group;
    }

    fn endGroup(span: Span) usize {
        return (span.end + group - 1) / group;
    }

    fn chunkCount(span: Span) usize {
        return (span.end - span.base + chunk - 1) / chunk;
    }

    /// Chunks up to the end of the block that the first one is in.
    fn firstBlockChunks(span: Span) usize {
        return (block - span.base % block) / chunk;
    }

    /// Those of the groups that it touches.
    fn scores(span: Span, scratch: Scratch) []F32x4 {
        const base = span.base / group;
        return scratch.scores[span.firstGroup() - base .. span.endGroup() - base];
    }

    /// Sets the scores in its first and last group that do not count.
    fn setOthers(span: Span, all: []F32x4, value: f32) void {
        const flat: [*]f32 = @ptrCast(all.ptr);
        for (0..span.first % group) |i| flat[i] = value;
        for (span.end - span.firstGroup() * group..all.len * group) |i| flat[i] = value;
    }

    /// Makes the weights in its first and last chunk 0 that do not count.
    fn clearOthers(span: Span, weights: [*]I16x8) void {
        const last = span.chunkCount() - 1;
        clear(weights, span.first - span.base, chunk);
        clear(weights + last * chunk / 8, 0, span.end - span.base - last * chunk);
    }

    fn clear(weights: [*]I16x8, first: usize, end: usize) void {
        const zero: I16x8 = @splat(0);
        inline for (0..chunk / 8) |i| {
            const at = std.simd.iota(i16, 8) + @as(I16x8, @splat(8 * i));
            const begun = @select(i16, at >= @as(I16x8, @splat(@intCast(first))), weights[i], zero);
            weights[i] = @select(i16, at < @as(I16x8, @splat(@intCast(end))), begun, zero);
        }
    }
};

/// Scores times log2 e of the span's groups.
fn score(query: [*]const F32x4, keys: Kept, head: usize, shape: Shape, span: Span, scratch: Scratch) void {
    hadamard.turn(query, scratch.turned, shape.head_size);
    const scale = quantise.span(query_level, scratch.turned, scratch.numbers, shape.head_size / 8);
    const factor = scale * (shape.scale * std.math.log2e) / hadamard.growth(shape.head_size);
    const scores = span.scores(scratch);
    const region = keys.at(span.firstGroup(), head, shape.head_size);
    const pairs: [*]const i32 = @ptrCast(scratch.numbers);
    const pair_count = shape.head_size / 2;
    var done: usize = 0;
    inline for (.{ 32, 16, 8, 4 }) |size| {
        while (pair_count - done >= size) : (done += size) {
            if (done == 0) {
                Score(size, true).run(pairs, 0, factor, region, keys.strideVectors(), scores);
            } else {
                Score(size, false).run(pairs + done, done, factor, region, keys.strideVectors(), scores);
            }
        }
    }
}

/// `size` pairs of elements of one query, from `done` on, against groups of four keys; the first pairs begin the sums.
fn Score(comptime size: usize, comptime begins: bool) type {
    return struct {
        noinline fn run(
            query: [*]const i32,
            done: usize,
            factor: f32,
            first: [*]const F32x4,
            stride: usize,
            scores: []F32x4,
        ) void {
            var q: [size]I16x8 = undefined;
            inline for (0..size) |i| q[i] = simd.repeatedPair(query[i]);
            var next = first;
            var target = scores.ptr;
            const end = target + scores.len;
            inline for (.{ 4, 1 }) |unroll| {
                const stop = target + (end - target) / unroll * unroll;
                while (target != stop) {
                    const sums = simd.opaquePointer(target);
                    inline for (0..unroll) |i| {
                        const region = simd.opaquePointer(next);
                        const part = products(&q, region, done) * (region[0] * simd.splat(factor));
                        sums[i] = if (begins) part else sums[i] + part;
                        next = region + stride;
                    }
                    target = sums + unroll;
                }
            }
        }

        inline fn products(q: *const [size]I16x8, region: [*]const F32x4, done: usize) F32x4 {
            const keys = if (begins) numbersOf(region) else simd.opaquePointer(numbersOf(region) + done);
            var sums = simd.dot(simd.widened(keys[0]), q[0]);
            inline for (1..size) |i| sums +%= simd.dot(simd.widened(keys[i]), q[i]);
            return simd.toFloat(sums);
        }
    };
}

/// Turns scores into quantised weights and gives 1 / (the sum of the weights before the values' scales).
fn weigh(scores: []F32x4, values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch) f32 {
    span.setOthers(scores, -std.math.inf(f32));
    const base = span.base / group;
    var exponentials = Exponentials{
        .greatest = simd.splat(simd.greatest(greatestOf(scores))),
        .scales = values.at(span.firstGroup(), head, head_size),
        .stride = values.strideVectors(),
    };
    var chunks: usize = 0;
    var stop = span.firstBlockChunks();
    var index: usize = 0;
    var group_index = span.firstGroup() - base;
    while (chunks < span.chunkCount()) : (index += 1) {
        stop = @min(stop, span.chunkCount());
        const end = @min(stop * chunk_groups, span.endGroup() - base);
        const most = exponentials.run(scratch.scores[group_index..end]);
        const from = scratch.scores + chunks * chunk_groups;
        const to = scratch.weights + chunks * (chunk / 8);
        scratch.weight_scales[index] = quantise.known(weight_level, most, from, to, (stop - chunks) * (chunk / 8));
        group_index = end;
        chunks = stop;
        stop += block / chunk;
    }
    span.clearOthers(scratch.weights);
    return 1 / simd.sum(exponentials.total);
}

fn greatestOf(scores: []const F32x4) F32x4 {
    const unroll = 4;
    var most = scores[0];
    var next = scores.ptr;
    const end = next + scores.len;
    const whole = next + scores.len / unroll * unroll;
    while (next != whole) : (next += unroll) {
        const s = simd.opaquePointer(next);
        inline for (0..unroll) |i| most = simd.greater(most, s[i]);
    }
    while (next != end) : (next += 1) most = simd.greater(most, next[0]);
    return most;
}

/// Makes scores 2^(score - greatest) times their value's scale.
const Exponentials = struct {
    greatest: F32x4,
    /// The region of the next group's values.
    scales: [*]const F32x4,
    stride: usize,
    /// Sums without the scales.
    total: F32x4 = simd.splat(0),

    const unroll = 4;

    /// Gives the greatest with its scale.
    noinline fn run(self: *Exponentials, scores: []F32x4) f32 {
        var total = self.total;
        var most = simd.splat(0);
        var scales = self.scales;
        const greatest = self.greatest;
        const stride = self.stride;
        var target = scores.ptr;
        const end = target + scores.len;
        const whole = target + scores.len / unroll * unroll;
        while (target != whole) : (target += unroll) {
            const t = simd.opaquePointer(target);
            inline for (0..unroll) |i| {
                scales = simd.opaquePointer(scales);
                const weight = functions.powerOfTwo(t[i] - greatest);
                total += weight;
                t[i] = weight * scales[0];
                most = simd.greater(most, t[i]);
                scales += stride;
            }
        }
        while (target != end) : (target += 1) {
            const weight = functions.powerOfTwo(target[0] - greatest);
            total += weight;
            target[0] = weight * scales[0];
            most = simd.greater(most, target[0]);
            scales += stride;
        }
        self.scales = scales;
        self.total = total;
        return simd.greatest(most);
    }
};

/// target = factor * sum of weight * value
fn mix(values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch, factor: f32, target: [*]F32x4) void {
    const region = values.at(span.base / group, head, head_size);
    const weights = Weights{
        .pairs = @ptrCast(scratch.weights),
        .scales = scratch.weight_scales,
        .chunk_count = span.chunkCount(),
        .first_block_chunks = span.firstBlockChunks(),
        .factor = factor,
    };
    var done: usize = 0;
    inline for (.{ 16, 8, 4, 2 }) |size| {
        while (head_size / 4 - done >= size) : (done += size) {
            Mix(size).run(numbersOf(region) + 2 * done, values.strideVectors() * 2, &weights, target + done);
        }
    }
}

const Weights = struct {
    pairs: [*]const [chunk / 2]i32,
    scales: [*]const f32,
    chunk_count: usize,
    first_block_chunks: usize,
    factor: f32,
};

/// `size` vectors of four elements of the values, all positions. stride: of groups, in eights of numbers.
fn Mix(comptime size: usize) type {
    return struct {
        noinline fn run(first: [*]const [8]i8, stride: usize, weights: *const Weights, target: [*]F32x4) void {
            var values = first;
            var at: usize = 0;
            var stop = weights.first_block_chunks;
            var scale = weights.scales;
            while (at < weights.chunk_count) {
                stop = @min(stop, weights.chunk_count);
                var sums: [size]simd.I32x4 = undefined;
                inline for (0..size) |i| sums[i] = @splat(0);
                while (at < stop) : (at += 1) {
                    addChunk(values, stride, &weights.pairs[at], &sums);
                    values += chunk_groups * stride;
                }
                const unit = simd.splat(scale[0] * weights.factor);
                if (scale == weights.scales) {
                    inline for (0..size) |i| target[i] = simd.toFloat(sums[i]) * unit;
                } else {
                    inline for (0..size) |i| target[i] += simd.toFloat(sums[i]) * unit;
                }
                stop += block / chunk;
                scale += 1;
            }
        }

        inline fn addChunk(
            first: [*]const [8]i8,
            stride: usize,
            pairs: *const [chunk / 2]i32,
            sums: *[size]simd.I32x4,
        ) void {
            var values: [chunk_groups][*]const [8]i8 = undefined;
            inline for (0..chunk_groups) |i| {
                values[i] = simd.opaquePointer(if (i == 0) first else values[i - 1] + stride);
            }
            var weights: [chunk / 2]I16x8 = undefined;
            inline for (0..chunk / 2) |i| weights[i] = simd.repeatedPair(pairs[i]);
            inline for (0..size) |i| {
                inline for (0..chunk / 2) |j| {
                    sums[i] +%= simd.dot(simd.widened(values[j / 2][2 * i + j % 2]), weights[j]);
                }
            }
        }
    };
}

const testing = std.testing;

const Case = struct {
    const context = 560;
    const width_max = 3 * 72;
    q: [context * width_max]f32 align(16) = undefined,
    k: [context * width_max]f32 align(16) = undefined,
    v: [context * width_max]f32 align(16) = undefined,
    y: [context * width_max]f32 align(16) = undefined,
    state: [context * 2 * (width_max + 3 * 4)]u8 align(16) = undefined,
    scratch: [8192]u8 align(64) = undefined,

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
    const Sample = struct { shape: Shape, length: usize };
    const samples = [_]Sample{
        .{ .length = 150, .shape = .{ .heads = 3, .key_heads = 1, .head_size = 64, .window = 0, .scale = 0.125, .cap = 0 } },
        .{ .length = 90, .shape = .{ .heads = 3, .key_heads = 3, .head_size = 72, .window = 0, .scale = 0.1, .cap = 2 } },
        .{ .length = 560, .shape = .{ .heads = 1, .key_heads = 1, .head_size = 8, .window = 0, .scale = 0.3, .cap = 0 } },
        .{ .length = 560, .shape = .{ .heads = 2, .key_heads = 1, .head_size = 8, .window = 31, .scale = 0.5, .cap = 0 } },
        .{ .length = 130, .shape = .{ .heads = 1, .key_heads = 1, .head_size = 152, .window = 70, .scale = 0.05, .cap = 0.5 } },
    };
    const ones: [Case.context]usize = @splat(1);
    for (samples) |sample| {
        const shape = sample.shape;
        const whole = try testing.allocator.alloc(f32, sample.length * shape.heads * shape.head_size);
        defer testing.allocator.free(whole);
        case.run(shape, &.{sample.length}, 0xff);
        @memcpy(whole, case.y[0..whole.len]);
        for (0..sample.length / 7) |seventh| for (0..shape.heads) |head| {
            const position = 7 * seventh;
            const i = (position * 5 + head) % shape.head_size;
            const got = whole[(position * shape.heads + head) * shape.head_size + i];
            try testing.expectApproxEqAbs(case.expected(shape, position, head, i), got, 0.03);
        };
        case.run(shape, ones[0..sample.length], 0x7f);
        try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..whole.len]));
        case.run(shape, &.{ 3, 61, 1, 17, sample.length - 82 }, 0);
        try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..whole.len]));
    }
}

test "the largest numbers do not overflow" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    case.* = .{};
    const shape = Shape{ .heads = 1, .key_heads = 1, .head_size = 64, .window = 0, .scale = 1e-6, .cap = 0 };
    for ([_]*[Case.context * Case.width_max]f32{ &case.q, &case.k, &case.v }) |values| @memset(values, 1000);
    case.run(shape, &.{Case.context}, 0);
    for (case.y[0 .. Case.context * 64]) |value| try testing.expectApproxEqRel(@as(f32, 1000), value, 1e-3);
}
