//! Turns the elements of a head by a Hadamard matrix, in spans of up to 64. Products of two turned heads are those of
//! the heads themselves times `growth`, so queries and keys may be turned; and a channel that is much larger than the
//! others, which would leave them few of 255 steps, is spread over all of its span (as Ashkboos et al., 2024, do).

const std = @import("std");
const simd = @import("simd.zig");
const F32x4 = simd.F32x4;

const span_max = 64;

/// Elements that are turned together: the greatest power of two up to 64 that divides `head_size`, at least 8.
fn spanOf(head_size: usize) usize {
    return @min(span_max, head_size & (~head_size + 1));
}

/// What turning both multiplies products with, a power of two.
pub fn growth(head_size: usize) f32 {
    return @floatFromInt(spanOf(head_size));
}

/// y = H x, span by span. head_size: a multiple of 8.
pub fn turn(x: [*]const F32x4, y: [*]F32x4, head_size: usize) void {
    inline for (.{ 64, 32, 16, 8 }) |span| {
        if (spanOf(head_size) == span) {
            for (0..head_size / span) |i| turnSpan(span / 4, x + i * span / 4, y + i * span / 4);
        }
    }
}

/// Sylvester's matrix: the vectors against each other, then the lanes within each.
noinline fn turnSpan(comptime vectors: usize, from: [*]const F32x4, to: [*]F32x4) void {
    const x = simd.opaquePointer(from);
    const y = simd.opaquePointer(to);
    var v: [vectors]F32x4 = undefined;
    inline for (0..vectors) |i| v[i] = x[i];
    comptime var distance = 1;
    inline while (distance < vectors) : (distance *= 2) {
        inline for (0..vectors) |i| if (i & distance == 0) {
            const a = v[i];
            const b = v[i + distance];
            v[i] = a + b;
            v[i + distance] = a - b;
        };
    }
    inline for (0..vectors) |i| {
        const ones = v[i] * F32x4{ 1, -1, 1, -1 } + @shuffle(f32, v[i], undefined, simd.I32x4{ 1, 0, 3, 2 });
        y[i] = ones * F32x4{ 1, 1, -1, -1 } + @shuffle(f32, ones, undefined, simd.I32x4{ 2, 3, 0, 1 });
    }
}

const testing = std.testing;

test "products grow by what is told, and a single channel is spread over its span" {
    var prng = std.Random.DefaultPrng.init(3);
    var heads: [2][160]f32 align(16) = undefined;
    var turned: [2][160]f32 align(16) = undefined;
    for ([_]usize{ 8, 16, 24, 64, 80, 96, 128, 160 }) |head_size| {
        for (&heads) |*head| for (head) |*value| {
            value.* = prng.random().floatNorm(f32);
        };
        heads[0][5] = 1000;
        var product: f64 = 0;
        var product_of_turned: f64 = 0;
        for (&heads, &turned) |*head, *target| turn(@ptrCast(head), @ptrCast(target), head_size);
        for (0..head_size) |i| {
            product += @as(f64, heads[0][i]) * heads[1][i];
            product_of_turned += @as(f64, turned[0][i]) * turned[1][i];
        }
        try testing.expectApproxEqRel(product * growth(head_size), product_of_turned, 1e-4);
        for (turned[0][0..spanOf(head_size)]) |value| try testing.expectApproxEqAbs(@as(f32, 1000), @abs(value), 60);
    }
}
