//! int8 weights of a head: every output roughly, those that can win exactly.
//!
//! A weight of 8 bits is an upper and a lower half of 4: w = 16 * upper + lower. The upper halves lie apart, as weights
//! of 4 bits do (matmul_i4.zig), and give each output at little more than half the price of matmul_i8.zig, with every
//! lower half taken for the mean of its 16 values, 7.5. The groups of 16 outputs that hold the greatest results are then
//! computed again from both halves.
//!
//! The one arithmetic. For each row:
//! - Roughly: as in matmul_i4.zig, with (upper + 15/32) in the place of the weight and 16 * its scale.
//! - A group's rank is its greatest rough result. The groups from the `exact_groups`-th rank up are computed as in
//!   matmul_i8.zig, bit for bit; of equals no more than `exact_groups_max` in all, the first ones.
//! Nothing in it depends on how many rows are computed together.
//!
//! Lower halves are spread evenly: a rough result is off by 4.6 * scale * |a| (root mean square), a ninth of what random
//! weights make of the same activations, and by the tables' rounding. The greatest of all is missed only where 32 groups reach it within such errors.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const matmul_i4 = @import("matmul_i4.zig");
const matmul_i8 = @import("matmul_i8.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;
const ByteBlock = matmul_i4.ByteBlock;

const wide = format.wide_group;
const lanes = wide / 4;
const exact_groups = 32;
const exact_groups_max = 2 * exact_groups;
const halvings = 16; // of the range in which the lowest rank is sought

/// Lower halves of 64 inputs of 16 outputs, input pair by input pair: the even one's in the low half of its byte.
pub const LowerHalves = [format.block / 2]simd.U8x16;

/// Weights [outputs, inputs]: the scales and upper halves of all, then the lower halves of all.
pub const Weights = struct {
    upper: [*]const ByteBlock,
    lower: [*]const LowerHalves,
    blocks: usize,

    pub fn of(base: [*]align(16) const u8, outputs: usize, inputs: usize) Weights {
        const blocks = matmul_i8.blockCount(inputs);
        const upper: [*]const ByteBlock = @ptrCast(base);
        return .{ .upper = upper, .lower = @ptrCast(upper + groupCount(outputs) * blocks), .blocks = blocks };
    }
};

pub fn groupCount(outputs: usize) usize {
    return (outputs + wide - 1) / wide;
}

/// Bytes that a product with so many outputs needs beside its operands.
pub fn scratchSizeBytes(outputs: usize) usize {
    return @sizeOf(matmul_i4.Scratch) + std.mem.alignForward(usize, groupCount(outputs), lanes) * @sizeOf(f32);
}

/// y [rows, outputs] = x [rows, inputs] times the weights, plus `bias`. `scratch` has `scratchSizeBytes`.
pub fn multiply(x: Matrix, weights: Weights, bias: ?[*]const F32x4, y: Matrix, scratch: [*]align(16) u8) void {
    matmul_i4.multiply(ByteBlock, .upper_halves, x, weights.upper, bias, y, @ptrCast(scratch));
    const groups = groupCount(y.columns);
    const ranks = @as([*]f32, @ptrCast(@alignCast(scratch + @sizeOf(matmul_i4.Scratch))))[0..std.mem.alignForward(usize, groups, lanes)];
    for (0..y.rows) |row| {
        const results = y.vectors(row)[0..y.vectorCount()];
        for (0..groups) |g| ranks[g] = rankOf(results[g * lanes .. @min((g + 1) * lanes, results.len)]);
        for (ranks[groups..]) |*rank| rank.* = -std.math.inf(f32);
        const lowest = lowestRank(@ptrCast(@alignCast(ranks)), groups);
        const activations = matmul_i8.Activations.of(x, row);
        var left: usize = exact_groups_max;
        for (ranks[0..groups], 0..) |rank, g| {
            if (rank < lowest or left == 0) continue;
            left -= 1;
            exactGroup(activations, weights, g, bias, results);
        }
    }
}

fn rankOf(results: []const F32x4) f32 {
    var most = results[0];
    for (results[1..]) |result| most = simd.greater(most, result);
    return simd.greatest(most);
}

/// A number that `exact_groups` ranks reach, and hardly any more.
fn lowestRank(ranks: []const F32x4, groups: usize) f32 {
    if (groups <= exact_groups) return -std.math.inf(f32);
    var low = -simd.greatest(-leastOf(ranks[0 .. groups / lanes]));
    var high = rankOf(ranks);
    for (0..halvings) |_| {
        const middle = low + (high - low) / 2;
        if (countReaching(ranks, middle) >= exact_groups) low = middle else high = middle;
    }
    return low;
}

fn leastOf(values: []const F32x4) F32x4 {
    var least = values[0];
    for (values[1..]) |value| least = simd.lesser(least, value);
    return least;
}

fn countReaching(ranks: []const F32x4, level: f32) usize {
    var count: simd.I32x4 = @splat(0);
    for (ranks) |rank| count +%= @select(i32, rank >= simd.splat(level), @as(simd.I32x4, @splat(1)), @as(simd.I32x4, @splat(0)));
    return @intCast(@reduce(.Add, count));
}

/// The results of 16 outputs from both halves of their weights.
fn exactGroup(activations: matmul_i8.Activations, weights: Weights, g: usize, bias: ?[*]const F32x4, results: []F32x4) void {
    const first = g * lanes;
    const count = @min(lanes, results.len - first);
    var totals: [lanes]F32x4 = @splat(simd.splat(0));
    if (bias) |from| for (0..count) |i| {
        totals[i] = from[first + i];
    };
    for (0..weights.blocks) |b| {
        const upper = &weights.upper[g * weights.blocks + b];
        const sums = blockSums(&activations.values[b], upper, &weights.lower[g * weights.blocks + b]);
        const scale = simd.splat(activations.scales[b]);
        inline for (0..lanes) |i| totals[i] += simd.toFloat(sums[i]) * (upper.scales[i] * scale);
    }
    for (0..count) |i| results[first + i] = totals[i];
}

/// The sums of 64 products of 16 outputs: no overflow, as in matmul_i8.zig.
noinline fn blockSums(
    values: *align(4) const [format.block / 2]i32,
    upper: *const ByteBlock,
    lower: *const LowerHalves,
) [lanes]simd.I32x4 {
    @setEvalBranchQuota(20_000);
    const v = simd.opaquePointer(values);
    const u = simd.opaquePointer(upper);
    const l = simd.opaquePointer(lower);
    var sums: [lanes]simd.I32x4 = @splat(@splat(0));
    inline for (0..format.block / 2) |i| {
        const even: simd.I8x16 = @bitCast(u.codes[2 * i] << @splat(4) | (l[i] & @as(simd.U8x16, @splat(15))));
        const odd: simd.I8x16 = @bitCast(u.codes[2 * i + 1] << @splat(4) | l[i] >> @splat(4));
        const pairs = std.simd.interlace(.{ even, odd });
        const pair = simd.repeatedPair(v[i]);
        inline for (0..lanes) |lane| {
            const eight: simd.I8x8 = std.simd.extract(pairs, lane * 8, 8);
            sums[lane] +%= simd.dot(@as(simd.I16x8, eight), pair);
        }
    }
    return sums;
}

/// Reads output `row` of the weights back as f32 [inputs]: a tied head is also the embedding.
pub fn dequantiseRow(weights: Weights, row: usize, inputs: usize, target: [*]f32) void {
    const lane = row % wide;
    for (0..inputs) |i| {
        const block = row / wide * weights.blocks + i / format.block;
        const within = i % format.block;
        const scales: *const [wide]f32 = @ptrCast(&weights.upper[block].scales);
        const uppers: *const [wide]u8 = @ptrCast(&weights.upper[block].codes[within]);
        const lowers: *const [wide]u8 = @ptrCast(&weights.lower[block][within / 2]);
        const lower = lowers[lane] >> @intCast(within % 2 * 4) & 15;
        const value: i8 = @bitCast(uppers[lane] << 4 | lower);
        target[i] = @as(f32, @floatFromInt(value)) * scales[lane];
    }
}

const testing = std.testing;
const quantise = @import("quantise.zig");

/// Random weights, in both layouts, and one row of activations.
const Case = extern struct {
    const outputs = 3000;
    const blocks = 3;
    const inputs = blocks * format.block - 28;
    const groups = (outputs + wide - 1) / wide;
    upper: [groups * blocks]ByteBlock,
    lower: [groups * blocks]LowerHalves,
    whole: [groups * wide / 4 * blocks]matmul_i8.Block,
    x: [blocks * format.block]f32 align(16),
    quantised: [blocks * 144]u8 align(16),
    rough: [outputs]f32 align(16),
    y: [outputs]f32 align(16),
    exact: [outputs]f32 align(16),
    scratch: [scratchSizeBytes(outputs)]u8 align(16),

    comptime {
        std.debug.assert(@offsetOf(Case, "lower") == @offsetOf(Case, "upper") + groups * blocks * @sizeOf(ByteBlock));
    }

    fn fill(case: *Case, random: std.Random) void {
        for (0..groups * wide) |output| for (0..blocks) |b| {
            const at = output / wide * blocks + b;
            const scale = 0.01 + random.float(f32) * 0.001;
            @as(*[wide]f32, @ptrCast(&case.upper[at].scales))[output % wide] = scale;
            const whole = &case.whole[output / 4 * blocks + b];
            @as(*[4]f32, @ptrCast(&whole.scales))[output % 4] = scale;
            for (0..format.block) |i| {
                const value: i8 = @intFromFloat(std.math.clamp(random.floatNorm(f32) * 40, -127, 127));
                whole.weights[i / 2][output % 4 * 2 + i % 2] = value;
                const bits: u8 = @bitCast(value);
                @as(*[wide]u8, @ptrCast(&case.upper[at].codes[i]))[output % wide] = bits >> 4;
                const lowers: *[wide]u8 = @ptrCast(&case.lower[at][i / 2]);
                lowers[output % wide] = if (i % 2 == 0) bits & 15 else lowers[output % wide] | bits << 4;
            }
        };
        for (&case.x) |*value| value.* = random.floatNorm(f32);
    }

    fn matrix(values: []f32, columns: usize) Matrix {
        return .{ .base = @ptrCast(@alignCast(values.ptr)), .stride_bytes = columns * 4, .rows = 1, .columns = columns };
    }

    /// All three kinds of results of the first `columns` outputs.
    fn run(case: *Case, columns: usize) void {
        const x = Matrix{ .base = &case.quantised, .stride_bytes = 0, .rows = 1, .columns = inputs };
        quantise.run(matrix(&case.x, inputs), x);
        matmul_i4.multiply(ByteBlock, .upper_halves, x, &case.upper, null, matrix(&case.rough, columns), @ptrCast(&case.scratch));
        matmul_i8.multiply(x, &case.whole, null, matrix(&case.exact, columns), @ptrCast(&case.scratch));
        const weights = Weights{ .upper = &case.upper, .lower = &case.lower, .blocks = blocks };
        multiply(x, weights, null, matrix(&case.y, columns), &case.scratch);
    }
};

test "the groups with the greatest results are exact, the others rough" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(1);
    case.fill(random.random());
    for ([_]usize{ 4, 20, 1000, 1028, 3000 }) |outputs| {
        case.run(outputs);
        var exact: usize = 0;
        for (0..outputs) |i| {
            if (case.y[i] == case.exact[i]) exact += 1 else try testing.expectEqual(case.rough[i], case.y[i]);
        }
        const wanted = @min(outputs, exact_groups * wide);
        try testing.expect(exact + wide >= wanted and exact <= wanted + 2 * wide); // the last group may be short
    }
}

const rough_error_max = 0.15; // of the results' root mean square

test "rough results are near, and the greatest is found" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(2);
    for (0..10) |_| {
        case.fill(random.random());
        case.run(Case.outputs);
        var errors: f64 = 0;
        var squares: f64 = 0;
        for (case.rough, case.exact) |rough, exact| {
            errors += std.math.pow(f64, rough - exact, 2);
            squares += std.math.pow(f64, exact, 2);
        }
        try testing.expect(@sqrt(errors / squares) < rough_error_max);
        try testing.expectEqual(std.mem.indexOfMax(f32, &case.exact), std.mem.indexOfMax(f32, &case.y));
    }
}

test "equal results and numbers that are none neither trap nor take long" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    @memset(std.mem.asBytes(case), 0);
    case.run(Case.outputs);
    for (case.y) |value| try testing.expectEqual(@as(f32, 0), value);
    for (&case.upper) |*block| block.scales = @splat(simd.splat(std.math.nan(f32)));
    case.run(Case.outputs);
    var random = std.Random.DefaultPrng.init(3);
    random.random().bytes(std.mem.sliceAsBytes(&case.upper));
    random.random().bytes(std.mem.sliceAsBytes(&case.lower));
    case.run(Case.outputs);
}

test "a row is read back as it was packed" {
    const case = try testing.allocator.create(Case);
    defer testing.allocator.destroy(case);
    var random = std.Random.DefaultPrng.init(4);
    case.fill(random.random());
    const weights = Weights.of(std.mem.asBytes(&case.upper), Case.outputs, Case.inputs);
    var want: [Case.inputs]f32 = undefined;
    var found: [Case.inputs]f32 = undefined;
    for ([_]usize{ 0, 5, 1717, 2999 }) |row| {
        matmul_i8.dequantiseRow(&case.whole, row, Case.inputs, &want);
        dequantiseRow(weights, row, Case.inputs, &found);
        try testing.expectEqual(want, found);
    }
}
