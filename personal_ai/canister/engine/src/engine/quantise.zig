//! Numbers to 16 bits and a scale: value = integer * scale, |integer| <= level. Activations have a scale for each block
//! of 64 and level 32767: the error is below 1/65,534 of the block's greatest magnitude, so that a single large channel
//! costs its own block only.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;

const vectors = format.block / 4;
const smallest = 1e-30; // blocks below become zeros: 32767 / their greatest would be no finite number
const round_to_integer = 12582912.0; // 1.5 * 2^23: see functions.zig

pub fn run(x: Matrix, y: Matrix) void {
    const whole = x.columns / format.block;
    const rest = x.columns % format.block;
    const blocks = whole + @intFromBool(rest != 0);
    for (0..x.rows) |row| {
        const source = x.vectors(row);
        const target: [*]simd.I16x8 = @ptrCast(y.row(row));
        const scales: [*]f32 = @ptrCast(@alignCast(y.row(row) + blocks * format.block * 2));
        for (0..whole) |i| scales[i] = block(format.level_max, source + i * vectors, target + i * vectors / 2);
        if (rest != 0) {
            var padded: [vectors]F32x4 = @splat(simd.splat(0));
            for (0..rest / 4) |i| padded[i] = source[whole * vectors + i];
            scales[whole] = block(format.level_max, &padded, target + whole * vectors / 2);
        }
    }
}

/// 64 numbers to |integer| <= level; gives their scale.
pub fn block(comptime level: comptime_int, from: [*]const F32x4, to: [*]simd.I16x8) f32 {
    const x = simd.opaquePointer(from);
    const y = simd.opaquePointer(to);
    var most = simd.splat(smallest);
    inline for (0..vectors) |i| most = simd.greater(most, simd.magnitude(x[i]));
    const greatest = simd.greatest(most);
    const factor = factorOf(level, greatest);
    inline for (0..vectors / 2) |i| y[i] = integers(x[2 * i], x[2 * i + 1], factor);
    return scaleOf(level, greatest);
}

/// As `block`, for `pairs` times 8 numbers.
pub fn span(comptime level: comptime_int, from: [*]const F32x4, to: [*]simd.I16x8, pairs: usize) f32 {
    const unroll = 8;
    var most = simd.splat(smallest);
    var next = from;
    const end = from + 2 * pairs;
    const whole = from + 2 * pairs / unroll * unroll;
    while (next != whole) {
        const x = simd.opaquePointer(next);
        inline for (0..unroll) |i| most = simd.greater(most, simd.magnitude(x[i]));
        next = x + unroll;
    }
    while (next != end) : (next += 1) most = simd.greater(most, simd.magnitude(next[0]));
    return known(level, simd.greatest(most), from, to, pairs);
}

/// `pairs` times 8 numbers of magnitudes up to `greatest`; gives their scale.
pub fn known(comptime level: comptime_int, greatest: f32, from: [*]const F32x4, to: [*]simd.I16x8, pairs: usize) f32 {
    const factor = factorOf(level, greatest);
    const unroll = 2;
    var x = from;
    var y = to;
    const whole = to + pairs / unroll * unroll;
    while (y != whole) {
        const source = simd.opaquePointer(x);
        const target = simd.opaquePointer(y);
        inline for (0..unroll) |i| target[i] = integers(source[2 * i], source[2 * i + 1], factor);
        x = source + 2 * unroll;
        y = target + unroll;
    }
    if (pairs % unroll != 0) y[0] = integers(x[0], x[1], factor);
    return scaleOf(level, greatest);
}

inline fn factorOf(comptime level: comptime_int, greatest: f32) F32x4 {
    return simd.splat(if (greatest > smallest) level / greatest else 0);
}

inline fn scaleOf(comptime level: comptime_int, greatest: f32) f32 {
    return if (greatest > smallest) greatest / level else 0;
}

/// To the nearest integers, halves to even, from -32768 to 32767; some integers for anything else. Adding 1.5 * 2^23
/// leaves an integer in a number's low bits (functions.zig).
inline fn integers(a: F32x4, b: F32x4, factor: F32x4) simd.I16x8 {
    const low: simd.I16x8 = @bitCast(a * factor + simd.splat(round_to_integer));
    const high: simd.I16x8 = @bitCast(b * factor + simd.splat(round_to_integer));
    return @shuffle(i16, low, high, [8]i32{ 0, 2, 4, 6, ~@as(i32, 0), ~@as(i32, 2), ~@as(i32, 4), ~@as(i32, 6) });
}

const testing = std.testing;

test "blocks keep their own scale, zeros and infinities stay harmless, a short block is padded" {
    var x: [132]f32 align(16) = @splat(0);
    for (x[0..64], 0..) |*value, i| value.* = @as(f32, @floatFromInt(i)) - 20;
    x[63] = 100;
    x[128] = -3;
    x[129] = 1.5;
    var y: [27 * 16]u8 align(16) = @splat(0xaa);
    run(
        .{ .base = @ptrCast(&x), .stride_bytes = 132 * 4, .rows = 1, .columns = 132 },
        .{ .base = &y, .stride_bytes = y.len, .rows = 1, .columns = 132 },
    );
    const values: *const [192]i16 = @ptrCast(&y);
    const scales: *const [3]f32 = @ptrCast(@alignCast(y[384..]));
    try testing.expectEqual([3]f32{ 100.0 / 32767.0, 0, 3.0 / 32767.0 }, scales.*);
    try testing.expectEqual(@as(i16, 32767), values[63]);
    for (0..64) |i| try testing.expectApproxEqAbs(x[i], @as(f32, @floatFromInt(values[i])) * scales[0], 100.0 / 65534.0);
    for (values[64..128]) |value| try testing.expectEqual(@as(i16, 0), value);
    try testing.expectEqual([2]i16{ -32767, 16384 }, values[128..130].*); // 16383.5 to even
    for (values[130..]) |value| try testing.expectEqual(@as(i16, 0), value);
}

test "numbers that are none give some integers and never trap" {
    const hostile = [_]f32{ std.math.nan(f32), std.math.inf(f32), -std.math.inf(f32), 1e-45, std.math.floatMax(f32) };
    var x: [64]f32 align(16) = undefined;
    for (&x, 0..) |*value, i| value.* = hostile[i % hostile.len];
    var y: [144]u8 align(16) = undefined;
    run(
        .{ .base = @ptrCast(&x), .stride_bytes = 256, .rows = 1, .columns = 64 },
        .{ .base = &y, .stride_bytes = 144, .rows = 1, .columns = 64 },
    );
}
