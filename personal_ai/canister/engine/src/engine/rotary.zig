//! Rotary positions (Su et al., 2021), halves form: in each head, element i and element i + half turn together by the
//! angle of (position, i), whose cosine and sine the program holds.

const std = @import("std");
const simd = @import("simd.zig");
const F32x4 = simd.F32x4;
const elementwise = @import("elementwise.zig");
const Matrix = @import("matrix.zig").Matrix;

/// x and y [sequence, heads * head_size]; row i is at position past + i. The tables have columns = half of what turns
/// in a head; the rest of a head is copied.
pub fn rotate(x: Matrix, cosines: Matrix, sines: Matrix, heads: usize, past: usize, y: Matrix) void {
    const head_vectors = x.columns / heads / 4;
    const half = cosines.columns / 4;
    for (0..x.rows) |row| {
        const c = cosines.vectors(past + row);
        const s = sines.vectors(past + row);
        for (0..heads) |head| {
            const source = x.vectors(row) + head * head_vectors;
            const target = y.vectors(row) + head * head_vectors;
            turn(source, source + half, c, s, target, target + half, half);
            const turned = 2 * half;
            if (turned < head_vectors) elementwise.copyRow(source + turned, target + turned, head_vectors - turned);
        }
    }
}

fn turn(
    a: [*]const F32x4,
    b: [*]const F32x4,
    cosines: [*]const F32x4,
    sines: [*]const F32x4,
    ya: [*]F32x4,
    yb: [*]F32x4,
    count: usize,
) void {
    const unroll = 4;
    var i: usize = 0;
    while (i + unroll <= count) : (i += unroll) {
        const from = .{ simd.opaquePointer(a + i), simd.opaquePointer(b + i) };
        const by = .{ simd.opaquePointer(cosines + i), simd.opaquePointer(sines + i) };
        const to = .{ simd.opaquePointer(ya + i), simd.opaquePointer(yb + i) };
        inline for (0..unroll) |j| {
            const x = .{ from[0][j], from[1][j] };
            to[0][j] = x[0] * by[0][j] - x[1] * by[1][j];
            to[1][j] = x[1] * by[0][j] + x[0] * by[1][j];
        }
    }
    while (i < count) : (i += 1) {
        ya[i] = a[i] * cosines[i] - b[i] * sines[i];
        yb[i] = b[i] * cosines[i] + a[i] * sines[i];
    }
}

test "turns pairs of halves, leaves the rest of a head" {
    var x: [2 * 24]f32 align(16) = undefined;
    var y: [2 * 24]f32 align(16) = undefined;
    var cosines: [4 * 4]f32 align(16) = undefined;
    var sines: [4 * 4]f32 align(16) = undefined;
    for (&x, 0..) |*value, i| value.* = @floatFromInt(i);
    for (&cosines, &sines, 0..) |*c, *s, i| {
        c.* = @cos(@as(f32, @floatFromInt(i)));
        s.* = @sin(@as(f32, @floatFromInt(i)));
    }
    const matrix = struct {
        fn of(values: []align(16) f32, rows: usize, columns: usize) Matrix {
            return .{ .base = @ptrCast(values.ptr), .stride_bytes = columns * 4, .rows = rows, .columns = columns };
        }
    }.of;
    rotate(matrix(&x, 2, 24), matrix(&cosines, 4, 4), matrix(&sines, 4, 4), 2, 1, matrix(&y, 2, 24));
    for (0..2) |row| for (0..2) |head| {
        const in = x[row * 24 + head * 12 ..][0..12];
        const out = y[row * 24 + head * 12 ..][0..12];
        for (0..4) |i| {
            const angle: f32 = @floatFromInt((1 + row) * 4 + i);
            try std.testing.expectApproxEqAbs(in[i] * @cos(angle) - in[4 + i] * @sin(angle), out[i], 1e-4);
            try std.testing.expectApproxEqAbs(in[4 + i] * @cos(angle) + in[i] * @sin(angle), out[4 + i], 1e-4);
        }
        for (8..12) |i| try std.testing.expectEqual(in[i], out[i]);
    };
}
