//! int4 weights in blocks of 64 times activations of 16 bits, without multiplying: every input has a table.
//!
//! A 4-bit weight times one activation has 16 possible results. They fill one vector of bytes, from which one swizzle
//! looks up the products of 16 outputs; 16 inputs are added up in bytes, then widened to 16 bits. The tables of a tile
//! of inputs are made once for each row and stay in locals while the groups of outputs pass by.
//!
//! The one arithmetic. For each block of 64 inputs a, in order:
//! - Each group of 16 inputs has a level: the lesser of 8 * sum |a|, which no sum of its products exceeds, and
//!   `statistical_reach` * sqrt(sum a^2), which hardly any does.
//! - a' = a * f / 2^15, rounded, where f = `reach` * 2^15 / (the block's greatest level), rounded down.
//! - A group's multiplier is the least divisor of `unit` that is not below `multiplier_max` * level / (greatest level),
//!   so that small groups are rounded finely beside a group with an outlier. Its tables hold
//!   a' * code * (unit / multiplier) / 2^15, rounded to bytes.
//! - s = sum over groups of multiplier * (sum of 16 looked up bytes, in order, each addition saturating).
//! - y = y + f32(s) * (weight scale * (activation scale * (2^30 / unit) / f)); y begins as the bias or 0.
//! Nothing in it depends on how many rows are computed together.
//!
//! No overflow: |s| <= 4 groups * 30 * 128 = 15,360 < 2^15, whatever the bytes are. No saturation where the level is
//! 8 * sum |a|: entries are within 111 in sum before rounding, that of a' adds at most 16 * 8 * 0.5 * unit / 2^15 = 7.5
//! and that of the entries 16 * 0.5. Where it is the statistical one, saturation is counted in the test below.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const matmul_i8 = @import("matmul_i8.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;
const blockCount = matmul_i8.blockCount;

const wide = format.wide_group;
const lanes = wide / 4; // vectors of f32 of a group of outputs
const pairs = format.block / 2;
const group = 16; // inputs that are added up in bytes
const groups = format.block / group;

const unit = 3840; // has many divisors, and 8 times it fits 16 bits
const multiplier_max = 30;
const level_max = 111;
const reach = level_max * multiplier_max * 32768 / unit; // the greatest level in units of a' * code
const statistical_reach = 12.0; // codes have a root mean square of about 3
const fraction_max = 32767;

const Step = struct { multiplier: i8, factor: i16 };

/// steps[n]: the least divisor of `unit` that is not below n, and `unit` divided by it.
const steps = blk: {
    var found: [multiplier_max + 1]Step = undefined;
    for (&found, 0..) |*step, n| {
        var divisor: comptime_int = @max(n, 1);
        while (unit % divisor != 0) divisor += 1;
        step.* = .{ .multiplier = divisor, .factor = unit / divisor };
    }
    break :blk found;
};

/// 64 inputs of 16 outputs: their scales, then the codes of input pair by input pair, the even one in the low half.
/// Codes are the weights modulo 16.
pub const Block = extern struct { scales: [lanes]F32x4, codes: [pairs]simd.U8x16 };

/// What a block of activations is to its weights.
const Lookup = struct {
    tables: [format.block]simd.I8x16,
    multipliers: [groups]simd.I8x16,
    scale: F32x4,

    fn fill(lookup: *Lookup, values: *const [format.block / 8]simd.I16x8, scale: f32) void {
        const all = levels(values);
        const highest = simd.greatest(simd.greater(all, simd.splat(1)));
        const fraction = @min(@as(u32, @intFromFloat(reach * 32768 / highest)), fraction_max);
        lookup.scale = simd.splat(scale * ((1 << 30) / unit) / @as(f32, @floatFromInt(fraction)));
        const reduction: simd.I16x8 = @splat(@intCast(fraction));
        const needed = simd.roundedUp(all * simd.splat(multiplier_max / highest));
        inline for (0..groups) |g| {
            const step = steps[@intCast(@min(needed[g], multiplier_max))];
            lookup.multipliers[g] = @splat(step.multiplier);
            inline for (0..group / 8) |half| {
                const eight = g * group / 8 + half;
                const reduced = simd.productOfFractions(values[eight], reduction);
                fillTables(lookup.tables[eight * 8 ..][0..8], reduced, step.factor);
            }
        }
    }
};

/// The level of each group.
fn levels(values: *const [format.block / 8]simd.I16x8) F32x4 {
    var squares: [groups]F32x4 = undefined;
    var magnitudes: [groups]F32x4 = undefined;
    inline for (0..groups) |g| {
        squares[g] = simd.splat(0);
        var magnitude: simd.I32x4 = @splat(0);
        inline for (values[g * group / 8 ..][0 .. group / 8]) |value| {
            const v = @max(value, @as(simd.I16x8, @splat(-32767))); // no two squares are 2^31 together
            squares[g] += simd.toFloat(simd.dot(v, v));
            magnitude +%= simd.dot(@intCast(@abs(v)), @splat(1));
        }
        magnitudes[g] = simd.toFloat(magnitude);
    }
    const most = simd.splat(8) * simd.sums(magnitudes[0], magnitudes[1], magnitudes[2], magnitudes[3]);
    const square = simd.sums(squares[0], squares[1], squares[2], squares[3]);
    return simd.lesser(most, simd.splat(statistical_reach) * @sqrt(square));
}

inline fn fillTables(tables: *[8]simd.I8x16, values: simd.I16x8, factor: i16) void {
    const positive = simd.I16x8{ 0, 1, 2, 3, 4, 5, 6, 7 } *% @as(simd.I16x8, @splat(factor));
    const negative = simd.I16x8{ -8, -7, -6, -5, -4, -3, -2, -1 } *% @as(simd.I16x8, @splat(factor));
    inline for (tables, 0..) |*table, i| {
        const value: simd.I16x8 = @splat(values[i]);
        const low = simd.productOfFractions(value, positive);
        table.* = simd.narrowToBytes(low, simd.productOfFractions(value, negative));
    }
}

const tile_blocks_max = 4;

/// What one product needs beside its operands.
pub const Scratch = struct { lookups: [tile_blocks_max]Lookup, rest: [lanes]F32x4 };

/// y [rows, outputs] = x [rows, inputs] times the weights, plus `bias`.
pub fn multiply(x: Matrix, weights: [*]const Block, bias: ?[*]const F32x4, y: Matrix, scratch: *Scratch) void {
    for (0..y.rows) |row| {
        const target = y.vectors(row);
        for (0..y.vectorCount()) |i| target[i] = if (bias) |from| from[i] else simd.splat(0);
        multiplyRow(matmul_i8.Activations.of(x, row), blockCount(x.columns), weights, target, y.vectorCount(), scratch);
    }
}

fn multiplyRow(
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
            lookup.fill(@ptrCast(@alignCast(&activations.values[b])), activations.scales[b]);
        }
        switch (count) {
            inline 1...tile_blocks_max => |size| {
                const lookups = scratch.lookups[0..size];
                Tile(size).run(weights + start, blocks, lookups, @ptrCast(target), whole);
                const last = weights + whole * blocks + start;
                if (rest != 0) Tile(size).run(last, blocks, lookups, @ptrCast(&scratch.rest), 1);
            },
            else => unreachable,
        }
        start += count;
    }
    for (0..rest) |i| target[whole * lanes + i] = scratch.rest[i];
}

/// One row, `blocks` blocks of it, some groups of outputs.
fn Tile(comptime blocks: usize) type {
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
                        const codes = w[b].codes[g * group / 2 ..][0 .. group / 2];
                        const sum = groupSum(tables[b][g * group ..][0..group], codes);
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

inline fn groupSum(tables: *const [group]simd.I8x16, codes: *const [group / 2]simd.U8x16) simd.I8x16 {
    var sum: simd.I8x16 = @splat(0);
    inline for (codes, 0..) |code, i| {
        sum +|= simd.lookUp(tables[2 * i], code & @as(simd.U8x16, @splat(15)));
        sum +|= simd.lookUp(tables[2 * i + 1], code >> @splat(4));
    }
    return sum;
}

const testing = std.testing;
const quantise = @import("quantise.zig");

/// Weights, activations and results of one random case, checked against plain loops.
const Case = struct {
    const outputs_max = 16 * 4;
    const blocks_max = 2 * tile_blocks_max + 1;
    const rows_max = 5;
    const stride = std.mem.alignForward(usize, blocks_max * 132, 16);
    weights: [outputs_max / wide * blocks_max]Block,
    x: [rows_max * blocks_max * format.block]f32 align(16),
    quantised: [rows_max * stride]u8 align(16),
    y: [rows_max * outputs_max + 4]f32 align(16),
    bias: [outputs_max]f32 align(16),
    scratch: Scratch,
    looked_up: usize = 0,
    saturated: usize = 0,

    fn fill(case: *Case, random: std.Random) void {
        for (&case.weights) |*block| {
            for (&block.scales) |*scales| scales.* = simd.splat(random.float(f32) * 0.01);
            for (std.mem.asBytes(&block.codes)) |*byte| byte.* = someCode(random) | @as(u8, someCode(random)) << 4;
        }
        for (&case.x) |*value| value.* = random.floatNorm(f32);
        for (&case.bias) |*value| value.* = random.floatNorm(f32);
    }

    /// Rounded from normal numbers, as those of weights are.
    fn someCode(random: std.Random) u4 {
        const code = std.math.clamp(@round(random.floatNorm(f32) * 3), -8, 7);
        return @bitCast(@as(i4, @intFromFloat(code)));
    }

    fn activations(case: *Case, rows: usize, inputs: usize) Matrix {
        const width = std.mem.alignForward(usize, inputs, 4) * 4;
        const x = Matrix{ .base = @ptrCast(&case.x), .stride_bytes = width, .rows = rows, .columns = inputs };
        const quantised = Matrix{ .base = &case.quantised, .stride_bytes = stride, .rows = rows, .columns = inputs };
        quantise.run(x, quantised);
        return quantised;
    }

    fn codeOf(block: *const Block, output: usize, input: usize) u4 {
        const bytes: [16]u8 = block.codes[input / 2];
        return @truncate(bytes[output % wide] >> @intCast(input % 2 * 4));
    }

    /// The one arithmetic in plain loops; counts what is added and what of it saturates.
    fn expected(case: *Case, x: Matrix, row: usize, output: usize) f32 {
        const from = matmul_i8.Activations.of(x, row);
        const blocks = blockCount(x.columns);
        var total = case.bias[output];
        for (0..blocks) |b| {
            var lookup: Lookup = undefined;
            lookup.fill(@ptrCast(@alignCast(&from.values[b])), from.scales[b]);
            const block = &case.weights[output / wide * blocks + b];
            var sum: i32 = 0;
            for (0..groups) |g| {
                var part: i32 = 0;
                for (g * group..(g + 1) * group) |i| {
                    const table: [16]i8 = lookup.tables[i];
                    const next = part + table[codeOf(block, output, i)];
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
    fn exact(case: *Case, x: Matrix, row: usize, output: usize) f64 {
        const from = matmul_i8.Activations.of(x, row);
        const values: [*]align(4) const i16 = @ptrCast(from.values);
        const blocks = blockCount(x.columns);
        var total: f64 = case.bias[output];
        for (0..blocks * format.block) |i| {
            const block = &case.weights[output / wide * blocks + i / format.block];
            const scales: [4]f32 = block.scales[output % wide / 4];
            const scale = @as(f64, scales[output % 4]) * from.scales[i / format.block];
            const weight: i4 = @bitCast(codeOf(block, output, i % format.block));
            total += scale * @as(f64, @floatFromInt(weight)) * @as(f64, @floatFromInt(values[i]));
        }
        return total;
    }

    fn check(case: *Case, rows: usize, outputs: usize, inputs: usize) !void {
        const x = case.activations(rows, inputs);
        const width = std.mem.alignForward(usize, outputs, 4);
        const y = Matrix{ .base = @ptrCast(&case.y), .stride_bytes = width * 4, .rows = rows, .columns = outputs };
        const untouched = 12345.0;
        @memset(&case.y, untouched);
        multiply(x, &case.weights, @ptrCast(&case.bias), y, &case.scratch);
        try testing.expectEqual(untouched, case.y[rows * width]);
        for (0..rows) |row| for (0..outputs) |output| {
            const want: u32 = @bitCast(case.expected(x, row, output));
            try testing.expectEqual(want, @as(u32, @bitCast(case.y[row * width + output])));
        };
    }
};

test "any number of rows, outputs and blocks gives the bits of the plain loop" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(1);
    case.fill(random.random());
    for (1..Case.blocks_max + 1) |blocks| try case.check(1 + blocks % 3, 20, blocks * format.block - 28 * (blocks % 2));
    for (1..Case.rows_max + 1) |rows| try case.check(rows, 16, 128);
    for ([_]usize{ 1, 3, 4, 5, 12, 15, 17, 30, 33, 63, 64 }) |outputs| try case.check(2, outputs, 64);
}

const saturation_rate_max = 2e-6; // of additions; measured: 5.4e-7, and 0 beside outliers
const error_max = 0.05; // of the products' root mean square; rounding weights to 4 bits costs about 0.1

test "sums hardly ever saturate, and stay near the exact product beside an outlier" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(2);
    for ([_]f32{ 1, 100 }) |outlier| {
        case.looked_up = 0;
        case.saturated = 0;
        var errors: f64 = 0;
        var squares: f64 = 0;
        for (0..20) |_| {
            case.fill(random.random());
            for (0..case.x.len / format.block) |b| case.x[b * format.block + 3] *= outlier;
            const x = case.activations(Case.rows_max, Case.blocks_max * format.block);
            for (0..Case.rows_max) |row| for (0..Case.outputs_max) |output| {
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
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(3);
    const x = Matrix{ .base = &case.quantised, .stride_bytes = Case.stride, .rows = 1, .columns = 64 };
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
        if (i < 3) case.weights[0].codes = @splat(@splat(0x88));
        multiply(x, &case.weights, null, y, &case.scratch);
    }
}

test "a group whose level is 8 times its sum never saturates" {
    var values: [format.block]i16 align(16) = @splat(0);
    values[5] = 32767;
    values[17] = -900;
    values[18] = 1;
    var lookup: Lookup = undefined;
    lookup.fill(@ptrCast(&values), 1);
    for (0..groups) |g| {
        var most: i32 = 0;
        for (g * group..(g + 1) * group) |i| {
            const table: [16]i8 = lookup.tables[i];
            most += @max(@abs(table[7]), @abs(table[8]));
        }
        try testing.expect(most <= 127);
    }
    const table: [16]i8 = lookup.tables[5];
    const product = @as(f32, @floatFromInt(table[8])) * @as(f32, @floatFromInt(lookup.multipliers[0][0])) * lookup.scale[0];
    try testing.expectApproxEqRel(-8 * 32767.0, product, 0.01);
}
