//! Vectors of AVX2, and what Zig has no word for. Without AVX2 the same bits are computed plainly.

const std = @import("std");
const builtin = @import("builtin");

pub const F32x8 = @Vector(8, f32);
pub const I32x8 = @Vector(8, i32);
pub const I16x16 = @Vector(16, i16);
pub const U16x16 = @Vector(16, u16);
pub const U8x32 = @Vector(32, u8);

const has_avx2 = builtin.cpu.arch == .x86_64 and std.Target.x86.featureSetHas(builtin.cpu.features, .avx2);

/// Lane i is sum[i] + a[2i] * b[2i] + a[2i+1] * b[2i+1], modulo 2^32. In assembly because the compiler would else
/// change the order of long sums and keep some of them in memory.
pub inline fn accumulated(sum: I32x8, a: I16x16, b: I16x16) I32x8 {
    if (has_avx2) {
        var product: I32x8 = undefined;
        return asm (
            \\vpmaddwd %[a], %[b], %[product]
            \\vpaddd %[product], %[sum], %[total]
            : [total] "=x" (-> I32x8),
              [product] "=&x" (product),
            : [sum] "x" (sum),
              [a] "x" (a),
              [b] "x" (b),
        );
    }
    const products = @as(@Vector(16, i32), a) *% @as(@Vector(16, i32), b);
    const even = @shuffle(i32, products, undefined, I32x8{ 0, 2, 4, 6, 8, 10, 12, 14 });
    const odd = @shuffle(i32, products, undefined, I32x8{ 1, 3, 5, 7, 9, 11, 13, 15 });
    return sum +% even +% odd;
}

/// Two neighbouring numbers, held in one i32, in all eight pairs of lanes.
pub inline fn repeatedPair(pair: i32) I16x16 {
    return @bitCast(@as(I32x8, @splat(pair)));
}

/// Of each half of a and b the first lanes, in turn.
pub inline fn interleavedLow(comptime T: type, a: T, b: T) T {
    return @shuffle(@typeInfo(T).vector.child, a, b, interleaving(@typeInfo(T).vector.len, 0));
}

/// Of each half of a and b the last lanes, in turn.
pub inline fn interleavedHigh(comptime T: type, a: T, b: T) T {
    const lanes = @typeInfo(T).vector.len;
    return @shuffle(@typeInfo(T).vector.child, a, b, interleaving(lanes, lanes / 4));
}

fn interleaving(comptime lanes: i32, comptime first: i32) [lanes]i32 {
    @setEvalBranchQuota(100_000);
    var order: [lanes]i32 = undefined;
    for (&order, 0..) |*lane, i| {
        const half = i / (lanes / 2) * (lanes / 2);
        const from = half + first + i % (lanes / 2) / 2;
        lane.* = if (i % 2 == 0) from else ~@as(i32, from);
    }
    return order;
}

/// The first halves of a and b.
pub inline fn firstHalves(a: I32x8, b: I32x8) I32x8 {
    return @shuffle(i32, a, b, [8]i32{ 0, 1, 2, 3, -1, -2, -3, -4 });
}

/// The second halves of a and b.
pub inline fn secondHalves(a: I32x8, b: I32x8) I32x8 {
    return @shuffle(i32, a, b, [8]i32{ 4, 5, 6, 7, -5, -6, -7, -8 });
}
