//! int4 weights in blocks of 64 times activations of 16 bits, without multiplying: every input has a table.
//!
//! A 4-bit weight times one activation has 16 possible results. They fill one vector of bytes (tables_i4.zig), from
//! which one swizzle looks up the products of 16 outputs; 16 inputs are added up in bytes, then widened to 16 bits. The
//! tables of a tile of inputs are made once for each row and stay in locals while the groups of outputs pass by.
//!
//! Weights lie in bytes, one code each, or where the heap has no room for that two to a byte: taking them apart costs a
//! third of the product more, and changes no bit of it.
//!
//! The one arithmetic. For each block of 64 inputs, in order:
//! - s = sum over groups of multiplier * (sum of 16 looked up bytes, in order, each addition saturating).
//! - y = y + f32(s) * (weight scale * table scale); y begins as the bias or 0.
//! Nothing in it depends on how many rows are computed together.
//!
//! No overflow: |s| <= 4 groups * 30 * 128 = 15,360 < 2^15, whatever the bytes are.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const tables_i4 = @import("tables_i4.zig");
const matmul_i8 = @import("matmul_i8.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;
const Lookup = tables_i4.Lookup;
const blockCount = matmul_i8.blockCount;
const group = tables_i4.group;
const groups = tables_i4.groups;

const wide = format.wide_group;
const lanes = wide / 4; // vectors of f32 of a group of outputs

/// 64 inputs of 16 outputs: their scales, then input by input a byte for each output, its weight modulo 16.
pub const ByteBlock = extern struct {
    scales: [lanes]F32x4,
    codes: [format.block]simd.U8x16,

    inline fn groupSum(block: *const ByteBlock, comptime g: usize, tables: *const [group]simd.I8x16) simd.I8x16 {
        var sum = simd.lookUp(tables[0], block.codes[g * group]);
        inline for (tables[1..], 1..) |table, i| sum = simd.saturatingSum(sum, simd.lookUp(table, block.codes[g * group + i]));
        return sum;
    }

    fn codeOf(block: *const ByteBlock, output: usize, input: usize) u4 {
        const bytes: [16]u8 = block.codes[input];
        return @intCast(bytes[output]);
    }
};

/// The same, input pair by input pair: the even one's weight in the low half of its byte, the odd one's in the high.
pub const NibbleBlock = extern struct {
    scales: [lanes]F32x4,
    codes: [format.block / 2]simd.U8x16,

    pub fn expand(block: *const NibbleBlock, to: *ByteBlock) void {
        to.scales = block.scales;
        for (block.codes, 0..) |code, i| {
            to.codes[2 * i] = code & @as(simd.U8x16, @splat(15));
            to.codes[2 * i + 1] = code >> @splat(4);
        }
    }

    inline fn groupSum(block: *const NibbleBlock, comptime g: usize, tables: *const [group]simd.I8x16) simd.I8x16 {
        var sum: simd.I8x16 = @splat(0);
        inline for (block.codes[g * group / 2 ..][0 .. group / 2], 0..) |code, i| {
            sum = simd.saturatingSum(sum, simd.lookUp(tables[2 * i], code & @as(simd.U8x16, @splat(15))));
            sum = simd.saturatingSum(sum, simd.lookUp(tables[2 * i + 1], code >> @splat(4)));
        }
        return sum;
    }

    fn codeOf(block: *const NibbleBlock, output: usize, input: usize) u4 {
        const bytes: [16]u8 = block.codes[input / 2];
        return @truncate(bytes[output] >> @intCast(input % 2 * 4));
    }
};

const tile_blocks_max = 4;

/// What one product needs beside its operands.
pub const Scratch = struct { lookups: [tile_blocks_max]Lookup, rest: [lanes]F32x4 };

/// y [rows, outputs] = x [rows, inputs] times the weights, plus `bias`.
pub fn multiply(
    comptime Block: type,
    comptime codes: tables_i4.Codes,
    x: Matrix,
    weights: [*]const Block,
    bias: ?[*]const F32x4,
    y: Matrix,
    scratch: *Scratch,
) void {
    for (0..y.rows) |row| {
        const target = y.vectors(row);
        for (0..y.vectorCount()) |i| target[i] = if (bias) |from| from[i] else simd.splat(0);
        const activations = matmul_i8.Activations.of(x, row);
        multiplyRow(Block, codes, activations, blockCount(x.columns), weights, target, y.vectorCount(), scratch);
    }
}

fn multiplyRow(
    comptime Block: type,
    comptime codes: tables_i4.Codes,
    activations: matmul_i8.Activations,
    blocks: usize,
    weights: [*]const Block,
    target: [*]F32x4,
    vectors: usize,
    scratch: *Scratch,
) void {
    const whole = vectors / lanes;
    const rest = vectors % lanes;
    const tiles = (blocks + tile_blocks_max - 1) / tile_blocks_max;
    scratch.rest = @splat(simd.splat(0));
    for (0..rest) |i| scratch.rest[i] = target[whole * lanes + i];
    var start: usize = 0;
    for (0..tiles) |tile| {
        const count = (blocks - start + tiles - tile - 1) / (tiles - tile);
        for (scratch.lookups[0..count], start..) |*lookup, b| {
            lookup.fill(codes, @ptrCast(@alignCast(&activations.values[b])), activations.scales[b]);
        }
        switch (count) {
            inline 1...tile_blocks_max => |size| {
                const lookups = scratch.lookups[0..size];
                Tile(Block, size).run(weights + start, blocks, lookups, @ptrCast(target), whole);
                const last = weights + whole * blocks + start;
                if (rest != 0) Tile(Block, size).run(last, blocks, lookups, @ptrCast(&scratch.rest), 1);
            },
            else => unreachable,
        }
        start += count;
    }
    for (0..rest) |i| target[whole * lanes + i] = scratch.rest[i];
}

/// One row, `blocks` blocks of it, some groups of outputs.
fn Tile(comptime Block: type, comptime blocks: usize) type {
    return struct {
        noinline fn run(
            first: [*]const Block,
            stride: usize,
            lookups: *const [blocks]Lookup,
            y: [*][lanes]F32x4,
            count: usize,
        ) void {
            @setEvalBranchQuota(20_000);
            var tables: [blocks][format.block]simd.I8x16 = undefined;
            var factors: [blocks][groups]simd.I8x16 = undefined;
            var scales: [blocks]F32x4 = undefined;
            inline for (0..blocks) |b| {
                inline for (0..format.block) |i| tables[b][i] = lookups[b].tables[i];
                inline for (0..groups) |g| factors[b][g] = lookups[b].multipliers[g];
                scales[b] = lookups[b].scale;
            }
            var next = first;
            var target = y;
            const end = y + count;
            while (target != end) {
                const w = simd.opaquePointer(next);
                const sums = simd.opaquePointer(target);
                var total = sums[0];
                inline for (0..blocks) |b| {
                    var low: simd.I16x8 = @splat(0);
                    var high: simd.I16x8 = @splat(0);
                    inline for (0..groups) |g| {
                        const sum = w[b].groupSum(g, tables[b][g * group ..][0..group]);
                        low +%= simd.lowProducts(sum, factors[b][g]);
                        high +%= simd.highProducts(sum, factors[b][g]);
                    }
                    inline for (0..lanes) |i| {
                        const half: [8]i16 = if (i < 2) low else high;
                        const integers: simd.I32x4 = @as(@Vector(4, i16), half[i % 2 * 4 ..][0..4].*);
                        total[i] += simd.toFloat(integers) * (w[b].scales[i] * scales[b]);
                    }
                }
                sums[0] = total;
                target = sums + 1;
                next = w + stride;
            }
        }
    };
}

const testing = std.testing;
const quantise = @import("quantise.zig");

const outputs_max = wide * 4;
const blocks_max = 2 * tile_blocks_max + 1;
const rows_max = 5;
const row_stride = std.mem.alignForward(usize, blocks_max * 132, 16);

/// Weights, activations and results of one random case, checked against plain loops.
fn Case(comptime Block: type) type {
    return struct {
        const Self = @This();
        weights: [outputs_max / wide * blocks_max]Block,
        x: [rows_max * blocks_max * format.block]f32 align(16),
        quantised: [rows_max * row_stride]u8 align(16),
        y: [rows_max * outputs_max + 4]f32 align(16),
        bias: [outputs_max]f32 align(16),
        scratch: Scratch,
        looked_up: usize = 0,
        saturated: usize = 0,

        fn fill(case: *Self, random: std.Random) void {
            for (&case.weights) |*block| {
                for (&block.scales) |*scales| scales.* = simd.splat(random.float(f32) * 0.01);
                for (std.mem.asBytes(&block.codes)) |*byte| {
                    byte.* = someCode(random);
                    if (Block == NibbleBlock) byte.* |= @as(u8, someCode(random)) << 4;
                }
            }
            for (&case.x) |*value| value.* = random.floatNorm(f32);
            for (&case.bias) |*value| value.* = random.floatNorm(f32);
        }

        /// Rounded from normal numbers, as those of weights are.
        fn someCode(random: std.Random) u4 {
            const code = std.math.clamp(@round(random.floatNorm(f32) * 3), -8, 7);
            return @bitCast(@as(i4, @intFromFloat(code)));
        }

        fn activations(case: *Self, rows: usize, inputs: usize) Matrix {
            const width = std.mem.alignForward(usize, inputs, 4) * 4;
            const x = Matrix{ .base = @ptrCast(&case.x), .stride_bytes = width, .rows = rows, .columns = inputs };
            const quantised = Matrix{ .base = &case.quantised, .stride_bytes = row_stride, .rows = rows, .columns = inputs };
            quantise.run(x, quantised);
            return quantised;
        }

        /// The one arithmetic in plain loops; counts what is added and what of it saturates.
        fn expected(case: *Self, x: Matrix, row: usize, output: usize) f32 {
            const from = matmul_i8.Activations.of(x, row);
            const blocks = blockCount(x.columns);
            var total = case.bias[output];
            for (0..blocks) |b| {
                var lookup: Lookup = undefined;
                lookup.fill(.weights, @ptrCast(@alignCast(&from.values[b])), from.scales[b]);
                const block = &case.weights[output / wide * blocks + b];
                var sum: i32 = 0;
                for (0..groups) |g| {
                    var part: i32 = 0;
                    for (g * group..(g + 1) * group) |i| {
                        const table: [16]i8 = lookup.tables[i];
                        const next = part + table[block.codeOf(output % wide, i)];
                        part = std.math.clamp(next, -128, 127);
                        case.looked_up += 1;
                        case.saturated += @intFromBool(part != next);
                    }
                    sum += part * lookup.multipliers[g][0];
                }
                const scales: [4]f32 = block.scales[output % wide / 4];
                total += @as(f32, @floatFromInt(sum)) * (scales[output % 4] * lookup.scale[0]);
            }
            return total;
        }

        /// The product of the quantised activations and the weights, rounded once only.
        fn exact(case: *Self, x: Matrix, row: usize, output: usize) f64 {
            const from = matmul_i8.Activations.of(x, row);
            const values: [*]align(4) const i16 = @ptrCast(from.values);
            const blocks = blockCount(x.columns);
            var total: f64 = case.bias[output];
            for (0..blocks * format.block) |i| {
                const block = &case.weights[output / wide * blocks + i / format.block];
                const scales: [4]f32 = block.scales[output % wide / 4];
                const scale = @as(f64, scales[output % 4]) * from.scales[i / format.block];
                const weight: i4 = @bitCast(block.codeOf(output % wide, i % format.block));
                total += scale * @as(f64, @floatFromInt(weight)) * @as(f64, @floatFromInt(values[i]));
            }
            return total;
        }

        fn check(case: *Self, rows: usize, outputs: usize, inputs: usize) !void {
            const x = case.activations(rows, inputs);
            const width = std.mem.alignForward(usize, outputs, 4);
            const y = Matrix{ .base = @ptrCast(&case.y), .stride_bytes = width * 4, .rows = rows, .columns = outputs };
            const untouched = 12345.0;
            @memset(&case.y, untouched);
            multiply(Block, .weights, x, &case.weights, @ptrCast(&case.bias), y, &case.scratch);
            try testing.expectEqual(untouched, case.y[rows * width]);
            for (0..rows) |row| for (0..outputs) |output| {
                const want: u32 = @bitCast(case.expected(x, row, output));
                try testing.expectEqual(want, @as(u32, @bitCast(case.y[row * width + output])));
            };
        }
    };
}

test "any number of rows, outputs and blocks gives the bits of the plain loop" {
    inline for (.{ ByteBlock, NibbleBlock }) |Block| {
        const case = try testing.allocator.create(Case(Block));
        defer testing.allocator.destroy(case);
        var random = std.Random.DefaultPrng.init(1);
        case.fill(random.random());
        for (1..blocks_max + 1) |blocks| {
            try case.check(1 + blocks % 3, 20, blocks * format.block - 28 * (blocks % 2));
        }
        for (1..rows_max + 1) |rows| try case.check(rows, 16, 128);
        for ([_]usize{ 1, 3, 4, 5, 12, 15, 17, 30, 33, 63, 64 }) |outputs| try case.check(2, outputs, 64);
    }
}

const saturation_rate_max = 2e-6; // of additions; measured: 5.4e-7, and 0 beside outliers
const error_max = 0.05; // of the products' root mean square; rounding weights to 4 bits costs about 0.1

test "sums hardly ever saturate, and stay near the exact product beside an outlier" {
    const case = try testing.allocator.create(Case(ByteBlock));
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(2);
    for ([_]f32{ 1, 100 }) |outlier| {
        case.looked_up = 0;
        case.saturated = 0;
        var errors: f64 = 0;
        var squares: f64 = 0;
        for (0..5) |_| {
            case.fill(random.random());
            for (0..case.x.len / format.block) |b| case.x[b * format.block + 3] *= outlier;
            const x = case.activations(rows_max, blocks_max * format.block);
            for (0..rows_max) |row| for (0..outputs_max) |output| {
                const want = case.exact(x, row, output);
                errors += std.math.pow(f64, case.expected(x, row, output) - want, 2);
                squares += std.math.pow(f64, want - case.bias[output], 2);
            };
        }
        const rate = @as(f64, @floatFromInt(case.saturated)) / @as(f64, @floatFromInt(case.looked_up));
        try testing.expect(rate < saturation_rate_max);
        try testing.expect(@sqrt(errors / squares) < error_max);
    }
}

test "whatever the bytes are, nothing overflows or traps" {
    const case = try testing.allocator.create(Case(ByteBlock));
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(3);
    const x = Matrix{ .base = &case.quantised, .stride_bytes = row_stride, .rows = 1, .columns = 64 };
    const y = Matrix{ .base = @ptrCast(&case.y), .stride_bytes = 64, .rows = 1, .columns = 16 };
    for (0..1000) |i| {
        random.random().bytes(&case.quantised);
        random.random().bytes(std.mem.asBytes(&case.weights));
        const values: *[format.block]i16 = @ptrCast(&case.quantised);
        switch (i) {
            0 => values.* = @splat(-32768),
            1 => values.* = @splat(0),
            2 => values.* = @splat(1),
            else => {},
        }
        if (i < 3) case.weights[0].codes = @splat(@splat(8));
        multiply(ByteBlock, .weights, x, &case.weights, null, y, &case.scratch);
    }
}
