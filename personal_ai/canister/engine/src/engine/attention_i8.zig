//! Causal attention over keys and values kept as 8-bit numbers: a quarter of the memory of f32 and less than half of
//! its cost.
//!
//! The one arithmetic. Queries and keys are turned (hadamard.zig), which leaves their products and spreads what a few
//! channels hold over all. A query, a key and a value are quantised by themselves, with a scale for each head. Weights
//! are 2^(score log2 e - greatest), times the value's scale, quantised with a scale for each 512 positions (counted
//! from position 0). Sums of products are exact integers over at most 64 elements or 512 positions, added in order as
//! f32. Nothing depends on the rows computed together; numbers of positions that do not count are multiplied with 0.
//!
//! No overflow: 512 * 127 * 32767 = 2,130,641,408 < 2^31 of a mixture, and 64 * 127 * 32767 of a score is less. All
//! numbers are written by these files at these levels; only what was NaN or infinite before goes beyond, and wraps.

const std = @import("std");
const attention = @import("attention.zig");
const kept = @import("attention_i8/kept.zig");
const spans = @import("attention_i8/span.zig");
const Matrix = @import("matrix.zig").Matrix;
const Shape = attention.Shape;
const Span = spans.Span;
const mix = @import("attention_i8/mix.zig").mix;
const score = @import("attention_i8/scores.zig").score;
const weigh = @import("attention_i8/weights.zig").weigh;

pub const Kept = kept.Kept;
pub const rowSizeBytes = kept.rowSizeBytes;
pub const scratchSizeBytes = spans.scratchSizeBytes;

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
    const scratch = spans.Scratch.of(memory, context_length_max);
    const head_vectors = shape.head_size / 4;
    for (0..q.rows) |row| {
        for (0..shape.key_heads) |head| {
            const part = head * head_vectors;
            kept.keepKey(k.vectors(row) + part, keys, head, past + row, shape.head_size, scratch);
            kept.keepValue(v.vectors(row) + part, values, head, past + row, shape.head_size, scratch);
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

const testing = std.testing;
const attention_testing = @import("attention_testing.zig");
const Case = attention_testing.Case(Memory);

const Memory = struct {
    pub const context = 560;
    pub const width_max = 3 * 72;
    state: [context * 2 * (width_max + 3 * 4)]u8 align(16),
    scratch: [8192]u8 align(64),

    pub fn fill(memory: *Memory, rubbish: u8) void {
        @memset(&memory.state, rubbish);
    }

    pub fn run(memory: *Memory, rows: attention_testing.Rows, shape: Shape, past: usize) void {
        const row_size = rowSizeBytes(shape.key_heads, shape.head_size);
        const keys = Kept{ .base = &memory.state, .group_stride_bytes = 8 * row_size };
        const values = Kept{ .base = @alignCast(keys.base + 4 * row_size), .group_stride_bytes = 8 * row_size };
        attend(rows.q, rows.k, rows.v, keys, values, shape, past, rows.y, &memory.scratch, context);
    }
};

test "near plain attention; the bits depend on neither split nor stale memory" {
    const case = try Case.create();
    defer case.destroy();
    try testing.expect(scratchSizeBytes(Memory.context) <= case.memory.scratch.len);
    const Sample = struct { shape: Shape, length: usize };
    const samples = [_]Sample{
        .{ .length = 150, .shape = .{ .heads = 3, .key_heads = 1, .head_size = 64, .window = 0, .scale = 0.125, .cap = 0 } },
        .{ .length = 90, .shape = .{ .heads = 3, .key_heads = 3, .head_size = 72, .window = 0, .scale = 0.1, .cap = 2 } },
        .{ .length = 560, .shape = .{ .heads = 1, .key_heads = 1, .head_size = 8, .window = 0, .scale = 0.3, .cap = 0 } },
        .{ .length = 560, .shape = .{ .heads = 2, .key_heads = 1, .head_size = 8, .window = 31, .scale = 0.5, .cap = 0 } },
        .{ .length = 130, .shape = .{ .heads = 1, .key_heads = 1, .head_size = 152, .window = 70, .scale = 0.05, .cap = 0.5 } },
    };
    for (samples) |sample| try case.expectPlain(sample.shape, sample.length, 0.03);
}

test "the largest numbers do not overflow" {
    const case = try Case.create();
    defer case.destroy();
    const shape = Shape{ .heads = 1, .key_heads = 1, .head_size = 64, .window = 0, .scale = 1e-6, .cap = 0 };
    for ([_][]f32{ &case.q, &case.k, &case.v }) |values| @memset(values, 1000);
    case.run(shape, &.{Memory.context}, 0);
    for (case.y[0 .. Memory.context * 64]) |value| try testing.expectApproxEqRel(@as(f32, 1000), value, 1e-3);
}
