//! int8 weights in blocks of 64 times activations of 16 bits.
//!
//! Weights [outputs, inputs] lie in groups of four outputs; a group has one `Block` for every 64 inputs. Lane i of a
//! vector is output i of the group: one `dot` takes two inputs of four outputs, so a block ends in one i32 per output
//! without any sum across lanes, and one f32 vector scales all four. Activations are read as pairs of neighbours,
//! repeated over the lanes, and stay in locals while the groups pass by.
//!
//! The one arithmetic. For each block in order: s = sum of the 64 products in i32 (exact in any order, see below);
//! y = y + f32(s) * (weight scale * activation scale); y begins as the bias or 0. Nothing in it depends on how many
//! rows are computed together: `single` and `batch` differ in the order of their loops only.
//!
//! No overflow: |weight| <= 2^7 and |activation| <= 2^15 whatever the bytes are, so a sum of 64 products is at most
//! 64 * 2^22 = 2^28 < 2^31.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;

const pairs = format.block / 2;

/// 64 inputs of four outputs: their scales, then input pair by input pair (output 0: inputs 0, 1), (output 1: ...).
pub const Block = extern struct { scales: F32x4, weights: [pairs][8]i8 };

/// A row of quantised activations.
pub const Activations = struct {
    values: [*]align(4) const [pairs]i32, // one i32 holds two neighbours
    scales: [*]const f32, // one for each block

    pub fn of(x: Matrix, row: usize) Activations {
        const base = x.row(row);
        const scales = base + blockCount(x.columns) * format.block * 2;
        return .{ .values = @ptrCast(base), .scales = @ptrCast(@alignCast(scales)) };
    }
};

pub fn blockCount(inputs: usize) usize {
    return (inputs + format.block - 1) / format.block;
}

const tile_blocks_max = 12; // 12 * 32 activation vectors and 12 scales in locals
const batch_groups_max = 64;
const batch_rows_max = 16;
pub const scratch_size_bytes = batch_groups_max * batch_rows_max * @sizeOf(F32x4);

/// y [rows, outputs] = x [rows, inputs] times the weights, plus `bias`.
pub fn multiply(x: Matrix, weights: [*]const Block, bias: ?[*]const F32x4, y: Matrix, scratch: [*]F32x4) void {
    var row: usize = 0;
    inline for (.{ batch_rows_max, 8, 4 }) |rows| {
        while (y.rows - row >= rows) : (row += rows) batch(rows, x, row, weights, bias, y, scratch);
    }
    while (row < y.rows) : (row += 1) single(x, row, weights, bias, y);
}

fn single(x: Matrix, row: usize, weights: [*]const Block, bias: ?[*]const F32x4, y: Matrix) void {
    const groups = y.vectorCount();
    const blocks = blockCount(x.columns);
    const target = y.vectors(row);
    begin(bias, target, groups, 1);
    const activations = Activations.of(x, row);
    const tiles = (blocks + tile_blocks_max - 1) / tile_blocks_max;
    var start: usize = 0;
    for (0..tiles) |tile| {
        const count = (blocks - start + tiles - tile - 1) / (tiles - tile);
        switch (count) {
            inline 1...tile_blocks_max => |size| Tile(size).run(
                weights + start,
                blocks,
                activations.values + start,
                activations.scales + start,
                target,
                groups,
            ),
            else => unreachable,
        }
        start += count;
    }
}

/// Writes the bias (or 0) of each group `copies` times.
fn begin(bias: ?[*]const F32x4, target: [*]F32x4, groups: usize, comptime copies: usize) void {
    for (0..groups) |group| {
        const value = if (bias) |from| from[group] else simd.splat(0);
        inline for (0..copies) |i| target[group * copies + i] = value;
    }
}

/// One row, `blocks` blocks of it, all groups.
fn Tile(comptime blocks: usize) type {
    return struct {
        noinline fn run(
            first: [*]const Block,
            stride: usize,
            values: [*]align(4) const [pairs]i32,
            scales: [*]const f32,
            y: [*]F32x4,
            groups: usize,
        ) void {
            @setEvalBranchQuota(10_000);
            var a: [blocks][pairs]simd.I16x8 = undefined;
            var a_scales: [blocks]F32x4 = undefined;
            inline for (0..blocks) |b| {
                inline for (0..pairs) |i| a[b][i] = simd.repeatedPair(values[b][i]);
                a_scales[b] = simd.splat(scales[b]);
            }
            var next = first;
            var target = y;
            const end = y + groups;
            while (target != end) : (target += 1) {
                const w = simd.opaquePointer(next);
                var sum = target[0];
                inline for (0..blocks) |b| {
                    var products = simd.dot(simd.widened(w[b].weights[0]), a[b][0]);
                    inline for (1..pairs) |i| products +%= simd.dot(simd.widened(w[b].weights[i]), a[b][i]);
                    sum += simd.toFloat(products) * (w[b].scales * a_scales[b]);
                }
                target[0] = sum;
                next = w + stride;
            }
        }
    };
}

fn batch(
    comptime rows: usize,
    x: Matrix,
    first_row: usize,
    weights: [*]const Block,
    bias: ?[*]const F32x4,
    y: Matrix,
    scratch: [*]F32x4,
) void {
    const blocks = blockCount(x.columns);
    var activations: [rows]Activations = undefined;
    for (&activations, first_row..) |*item, row| item.* = .of(x, row);
    var group: usize = 0;
    while (group < y.vectorCount()) : (group += batch_groups_max) {
        const count = @min(batch_groups_max, y.vectorCount() - group);
        begin(if (bias) |from| from + group else null, scratch, count, rows);
        for (0..blocks) |block| {
            const start = weights + group * blocks + block;
            BatchTile(rows).run(start, blocks, &activations, block, @ptrCast(scratch), count);
        }
        for (0..rows) |row| {
            const target = y.vectors(first_row + row) + group;
            for (0..count) |i| target[i] = scratch[i * rows + row];
        }
    }
}

/// `rows` rows, one block of them, some groups: each weight vector is loaded once for all rows.
fn BatchTile(comptime rows: usize) type {
    return struct {
        noinline fn run(
            first: [*]const Block,
            stride: usize,
            activations: *const [rows]Activations,
            block: usize,
            y: [*][rows]F32x4,
            groups: usize,
        ) void {
            @setEvalBranchQuota(10_000);
            var a: [rows][pairs]simd.I16x8 = undefined;
            var a_scales: [rows]F32x4 = undefined;
            inline for (0..rows) |row| {
                const values = simd.opaquePointer(activations[row].values + block);
                inline for (0..pairs) |i| a[row][i] = simd.repeatedPair(values[0][i]);
                a_scales[row] = simd.splat(activations[row].scales[block]);
            }
            var next = first;
            var target = y;
            const end = y + groups;
            while (target != end) {
                const w = simd.opaquePointer(next);
                const sums = simd.opaquePointer(target);
                var weights: [pairs]simd.I16x8 = undefined;
                inline for (0..pairs) |i| weights[i] = simd.widened(w[0].weights[i]);
                inline for (0..rows) |row| {
                    var products = simd.dot(weights[0], a[row][0]);
                    inline for (1..pairs) |i| products +%= simd.dot(weights[i], a[row][i]);
                    sums[0][row] += simd.toFloat(products) * (w[0].scales * a_scales[row]);
                }
                target = sums + 1;
                next = w + stride;
            }
        }
    };
}

/// Reads output `row` of the weights back as f32 [inputs]: a tied head is also the embedding.
pub fn dequantiseRow(weights: [*]const Block, row: usize, inputs: usize, target: [*]f32) void {
    const lane = row % format.group;
    const blocks = weights + row / format.group * blockCount(inputs);
    for (0..inputs) |i| {
        const block = &blocks[i / format.block];
        const values: *const [format.block * format.group]i8 = @ptrCast(&block.weights);
        const scales: *const [format.group]f32 = @ptrCast(&block.scales);
        const within = i % format.block;
        target[i] = @as(f32, @floatFromInt(values[within / 2 * 8 + lane * 2 + within % 2])) * scales[lane];
    }
}

const testing = std.testing;
const quantise = @import("quantise.zig");

/// Weights, activations and results of one random case, checked against plain loops.
const Case = struct {
    const outputs_max = 4 * 70;
    const blocks_max = tile_blocks_max + 3;
    weights: [outputs_max / 4 * blocks_max]Block,
    x: [24 * blocks_max * format.block]f32 align(16),
    quantised: [24 * blocks_max * 144]u8 align(16),
    together: [24 * outputs_max]f32 align(16),
    alone: [outputs_max]f32 align(16),
    bias: [outputs_max]f32 align(16),
    scratch: [scratch_size_bytes / 16]F32x4,

    fn fill(case: *Case, random: std.Random) void {
        for (&case.weights) |*block| {
            random.bytes(std.mem.asBytes(&block.weights));
            inline for (0..4) |i| block.scales[i] = random.float(f32) * 0.01;
        }
        for (&case.x) |*value| value.* = random.floatNorm(f32);
        for (&case.bias) |*value| value.* = random.floatNorm(f32);
    }

    fn matrix(bytes: []align(16) u8, rows: usize, columns: usize, stride_bytes: usize) Matrix {
        return .{ .base = bytes.ptr, .stride_bytes = stride_bytes, .rows = rows, .columns = columns };
    }

    fn expected(case: *Case, x: Matrix, row: usize, output: usize) f32 {
        const activations = Activations.of(x, row);
        const values: [*]align(4) const i16 = @ptrCast(activations.values);
        const blocks = blockCount(x.columns);
        var total = case.bias[output];
        for (0..blocks) |b| {
            const block = &case.weights[output / 4 * blocks + b];
            const bytes: *const [256]i8 = @ptrCast(&block.weights);
            const scales: *const [4]f32 = @ptrCast(&block.scales);
            var sum: i64 = 0;
            for (0..64) |i| {
                const weight = bytes[i / 2 * 8 + output % 4 * 2 + i % 2];
                sum += @as(i64, weight) * values[b * 64 + i];
            }
            total += @as(f32, @floatFromInt(sum)) * (scales[output % 4] * activations.scales[b]);
        }
        return total;
    }

    fn check(case: *Case, rows: usize, outputs: usize, blocks: usize) !void {
        const inputs = blocks * format.block - 28 * (blocks % 2);
        const stride = std.mem.alignForward(usize, blocks * 132, 16);
        const source = matrix(std.mem.sliceAsBytes(&case.x), rows, inputs, blocks * format.block * 4);
        const x = matrix(&case.quantised, rows, inputs, stride);
        const y = matrix(std.mem.sliceAsBytes(&case.together), rows, outputs, Case.outputs_max * 4);
        const one = matrix(std.mem.sliceAsBytes(&case.alone), 1, outputs, 0);
        const bias: [*]const F32x4 = @ptrCast(&case.bias);
        quantise.run(source, x);
        multiply(x, &case.weights, bias, y, &case.scratch);
        for (0..rows) |row| {
            var alone = x;
            alone.base = x.row(row);
            alone.rows = 1;
            multiply(alone, &case.weights, bias, one, &case.scratch);
            for (0..outputs) |i| {
                const want: u32 = @bitCast(case.expected(x, row, i));
                try testing.expectEqual(want, @as(u32, @bitCast(case.together[row * Case.outputs_max + i])));
                try testing.expectEqual(want, @as(u32, @bitCast(case.alone[i])));
            }
        }
    }
};

test "any number of rows, outputs and blocks gives the bits of the plain loop" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(1);
    case.fill(random.random());
    for (1..Case.blocks_max + 1) |blocks| try case.check(1 + blocks % 3, 8, blocks);
    for (1..25) |rows| try case.check(rows, 12, 2);
    for ([_]usize{ 1, 3, 4, 5, 255, 256, 257, 280 }) |outputs| try case.check(5, outputs, 1);
}

test "the greatest sums of 8,192 inputs do not overflow" {
    const count = 8192 / format.block;
    const weights: [pairs][8]i8 = @splat(@splat(-128));
    const blocks: [count]Block = @splat(.{ .scales = @splat(1), .weights = weights });
    var x: [count * 132]u8 align(16) = undefined; // the numbers of all blocks, then their scales
    @as(*[8192]i16, @ptrCast(&x)).* = @splat(-32768);
    @as(*[count]f32, @ptrCast(@alignCast(x[2 * 8192 ..]))).* = @splat(1);
    var y: [4]f32 align(16) = undefined;
    const matrix = Case.matrix(&x, 1, 8192, x.len);
    var scratch: [count]F32x4 = undefined;
    multiply(matrix, &blocks, null, Case.matrix(std.mem.sliceAsBytes(&y), 1, 4, 16), &scratch);
    try testing.expectEqual([4]f32{ 1 << 35, 1 << 35, 1 << 35, 1 << 35 }, y);
}

test "a row is read back as it was packed" {
    var blocks: [2]Block = undefined;
    for (&blocks, 0..) |*block, b| {
        block.scales = .{ 1, 2, 3, 4 };
        for (0..pairs) |i| block.weights[i] = @splat(@intCast(i + b));
        block.weights[5][3] = -7; // output 1, input 11
    }
    var row: [100]f32 = undefined;
    dequantiseRow(&blocks, 1, 100, &row);
    try testing.expectEqual(@as(f32, -14), row[11]);
    try testing.expectEqual(@as(f32, 10), row[10]);
    try testing.expectEqual(@as(f32, 2 * (17 + 1)), row[64 + 35]);
}
