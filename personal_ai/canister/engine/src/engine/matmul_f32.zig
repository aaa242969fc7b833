//! f32 weights times f32 activations.
//!
//! Weights [outputs, inputs] lie in groups of four outputs; a group has one vector for each input (lane i is output i).
//! Each activation is repeated over a vector's lanes and stays in a local while the groups pass by.
//!
//! The one arithmetic. For each 64 inputs in order (the last may be fewer): s = sum of the products, one after the
//! other; y = y + s; y begins as the bias or 0. Rows are computed one by one.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;

const block = format.block;
const tile_blocks_max = 4; // 4 * 64 activation vectors in locals

/// y [rows, outputs] = x [rows, inputs] times the weights, plus `bias`.
pub fn multiply(x: Matrix, weights: [*]const F32x4, bias: ?[*]const F32x4, y: Matrix) void {
    for (0..y.rows) |row| {
        const source: [*]const f32 = @ptrCast(x.row(row));
        multiplyRow(source, x.columns, weights, bias, y.vectors(row), y.vectorCount());
    }
}

fn multiplyRow(
    x: [*]const f32,
    inputs: usize,
    weights: [*]const F32x4,
    bias: ?[*]const F32x4,
    y: [*]F32x4,
    groups: usize,
) void {
    for (0..groups) |group| y[group] = if (bias) |from| from[group] else simd.splat(0);
    const blocks = inputs / block;
    const tiles = (blocks + tile_blocks_max - 1) / tile_blocks_max;
    var start: usize = 0;
    for (0..tiles) |tile| {
        const count = (blocks - start + tiles - tile - 1) / (tiles - tile);
        switch (count) {
            inline 1...tile_blocks_max => |size| {
                Tile(size).run(weights + start * block, inputs, x + start * block, y, groups);
            },
            else => unreachable,
        }
        start += count;
    }
    const done = blocks * block;
    if (done < inputs) multiplyRest(weights + done, inputs, x + done, inputs - done, y, groups);
}

/// `blocks` whole blocks of one row, all groups.
fn Tile(comptime blocks: usize) type {
    return struct {
        noinline fn run(first: [*]const F32x4, stride: usize, x: [*]const f32, y: [*]F32x4, groups: usize) void {
            @setEvalBranchQuota(10_000);
            const from = simd.opaquePointer(x);
            var a: [blocks][block]F32x4 = undefined;
            inline for (0..blocks) |b| {
                inline for (0..block) |i| a[b][i] = simd.splat(from[b * block + i]);
            }
            var next = first;
            var target = y;
            const end = y + groups;
            while (target != end) : (target += 1) {
                const w = simd.opaquePointer(next);
                var sum = target[0];
                inline for (0..blocks) |b| {
                    var products = w[b * block] * a[b][0];
                    inline for (1..block) |i| products += w[b * block + i] * a[b][i];
                    sum += products;
                }
                target[0] = sum;
                next = w + stride;
            }
        }
    };
}

/// The last, short block.
noinline fn multiplyRest(
    first: [*]const F32x4,
    stride: usize,
    x: [*]const f32,
    count: usize,
    y: [*]F32x4,
    groups: usize,
) void {
    for (0..groups) |group| {
        const w = first + group * stride;
        var products = w[0] * simd.splat(x[0]);
        for (1..count) |i| products += w[i] * simd.splat(x[i]);
        y[group] += products;
    }
}

/// Reads output `row` of the weights back as [inputs]: a tied head is also the embedding.
pub fn unpackRow(weights: [*]const F32x4, row: usize, inputs: usize, target: [*]f32) void {
    const values: [*]const f32 = @ptrCast(weights + row / format.group * inputs);
    for (0..inputs) |i| target[i] = values[i * format.group + row % format.group];
}

const testing = std.testing;

test "products over every kind of tile equal plain sums" {
    const outputs = 12;
    const inputs_max = 64 * 9 + 20;
    var weights: [outputs / 4 * inputs_max]F32x4 = undefined;
    var x: [inputs_max]f32 align(16) = undefined;
    var bias: [outputs]f32 align(16) = undefined;
    var y: [outputs]f32 align(16) = undefined;
    var prng = std.Random.DefaultPrng.init(1);
    const random = prng.random();
    for (std.mem.sliceAsBytes(&weights), 0..) |_, i| if (i % 4 == 0) {
        @as([*]f32, @ptrCast(&weights))[i / 4] = random.floatNorm(f32);
    };
    for (&x) |*value| value.* = random.floatNorm(f32);
    for (&bias) |*value| value.* = random.floatNorm(f32);
    for ([_]usize{ 4, 20, 64, 84, 128, 192, 256, 320, 576, 596 }) |inputs| {
        const source = Matrix{ .base = @ptrCast(&x), .stride_bytes = 0, .rows = 1, .columns = inputs };
        const target = Matrix{ .base = @ptrCast(&y), .stride_bytes = 0, .rows = 1, .columns = outputs };
        multiply(source, &weights, @ptrCast(&bias), target);
        var row: [inputs_max]f32 = undefined;
        for (0..outputs) |output| {
            unpackRow(&weights, output, inputs, &row);
            var total = bias[output];
            var start: usize = 0;
            while (start < inputs) : (start += block) {
                var sum = row[start] * x[start];
                for (start + 1..@min(start + block, inputs)) |i| sum += row[i] * x[i];
                total += sum;
            }
            try testing.expectEqual(total, y[output]);
        }
    }
}
