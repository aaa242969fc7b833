//! Tables of products: what a block of 64 activations is to weights of 4 bits (matmul_i4.zig).
//!
//! Part of the one arithmetic. For each block of 64 inputs a:
//! - Each group of 16 inputs has a level: the lesser of 8 * sum |a|, which no sum of its products exceeds, and
//!   `statistical_reach` * sqrt(sum a^2), which hardly any does.
//! - a' = a * f / 2^15, rounded, where f = `reach` * 2^15 / (the block's greatest level), rounded down.
//! - A group's multiplier is the least divisor of `unit` that is not below `multiplier_max` * level / (greatest level),
//!   so that small groups are rounded finely beside a group with an outlier. Its tables hold
//!   a' * code * (unit / multiplier) / 2^15, rounded to bytes.
//! - The block's scale is activation scale * (2^30 / unit) / f.
//!
//! No saturation where a level is 8 * sum |a|: entries are within 111 in sum before rounding, that of a' adds at most
//! 16 * 8 * 0.5 * unit / 2^15 = 7.5 and that of the entries 16 * 0.5. Where it is the statistical one, saturation is
//! counted in matmul_i4.zig's tests.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const F32x4 = simd.F32x4;

/// Inputs whose products are added up in bytes.
pub const group = 16;
pub const groups = format.block / group;

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

/// What a code stands for.
pub const Codes = enum {
    /// A weight of 4 bits.
    weights,
    /// The upper half of a weight of 8 bits: 16 * (code + 15/32), the mean of the 16 that have it.
    upper_halves,

    fn factor(codes: Codes) f32 {
        return if (codes == .upper_halves) 16 else 1;
    }
};

/// What a block of activations is to its weights.
pub const Lookup = struct {
    tables: [format.block]simd.I8x16,
    multipliers: [groups]simd.I8x16,
    scale: F32x4,

    pub fn fill(lookup: *Lookup, comptime codes: Codes, values: *const [format.block / 8]simd.I16x8, scale: f32) void {
        const all = levels(values);
        const highest = simd.greatest(simd.greater(all, simd.splat(1)));
        const fraction = @min(@as(u32, @intFromFloat(reach * 32768 / highest)), fraction_max);
        lookup.scale = simd.splat(scale * codes.factor() * ((1 << 30) / unit) / @as(f32, @floatFromInt(fraction)));
        const reduction: simd.I16x8 = @splat(@intCast(fraction));
        const needed = simd.roundedUp(all * simd.splat(multiplier_max / highest));
        inline for (0..groups) |g| {
            const step = steps[@intCast(@min(needed[g], multiplier_max))];
            lookup.multipliers[g] = @splat(step.multiplier);
            inline for (0..group / 8) |half| {
                const eight = g * group / 8 + half;
                const reduced = simd.productOfFractions(values[eight], reduction);
                fillTables(lookup.tables[eight * 8 ..][0..8], reduced, step.factor, codes);
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

inline fn fillTables(tables: *[8]simd.I8x16, values: simd.I16x8, factor: i16, comptime codes: Codes) void {
    const beside: simd.I16x8 = @splat(if (codes == .upper_halves) (factor >> 1) - (factor >> 5) else 0); // 15/32 of it
    const positive = simd.I16x8{ 0, 1, 2, 3, 4, 5, 6, 7 } *% @as(simd.I16x8, @splat(factor)) +% beside;
    const negative = simd.I16x8{ -8, -7, -6, -5, -4, -3, -2, -1 } *% @as(simd.I16x8, @splat(factor)) +% beside;
    inline for (tables, 0..) |*table, i| {
        const value: simd.I16x8 = @splat(values[i]);
        const low = simd.productOfFractions(value, positive);
        table.* = simd.narrowToBytes(low, simd.productOfFractions(value, negative));
    }
}

const testing = std.testing;

test "a group whose level is 8 times its sum never saturates" {
    var values: [format.block]i16 align(16) = @splat(0);
    values[5] = 32767;
    values[17] = -900;
    values[18] = 1;
    var lookup: Lookup = undefined;
    lookup.fill(.weights, @ptrCast(&values), 1);
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
