//! Norms over whole rows.

const std = @import("std");
const simd = @import("simd.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;
const unroll = 4;

/// y = x / sqrt(mean(x^2) + epsilon) * gain, row by row (Zhang and Sennrich, 2019).
pub fn rms(x: Matrix, gain: Matrix, epsilon: f32, y: Matrix) void {
    const count = y.vectorCount();
    const width: f32 = @floatFromInt(y.columns);
    for (0..y.rows) |row| {
        const mean = sumOfSquares(x.vectors(row), simd.splat(0), count) / width;
        const scale = 1 / @sqrt(mean + epsilon);
        scaleRow(x.vectors(row), simd.splat(0), simd.splat(scale), gain.vectors(0), y.vectors(row), count);
    }
}

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias, row by row (Ba, Kiros and Hinton, 2016).
pub fn layer(x: Matrix, gain: Matrix, bias: Matrix, epsilon: f32, y: Matrix) void {
    const count = y.vectorCount();
    const width: f32 = @floatFromInt(y.columns);
    for (0..y.rows) |row| {
        const mean = simd.splat(sumOf(x.vectors(row), count) / width);
        const variance = sumOfSquares(x.vectors(row), mean, count) / width;
        const scale = simd.splat(1 / @sqrt(variance + epsilon));
        scaleRow(x.vectors(row), mean, scale, gain.vectors(0), y.vectors(row), count);
        const target = y.vectors(row);
        const shift = bias.vectors(0);
        for (0..count) |i| target[i] += shift[i];
    }
}

fn sumOf(x: [*]const F32x4, count: usize) f32 {
    var total = simd.splat(0);
    for (0..count) |i| total += x[i];
    return simd.sum(total);
}

inline fn sumOfSquares(x: [*]const F32x4, mean: F32x4, count: usize) f32 {
    var total = simd.splat(0);
    var next = x;
    const end = x + count;
    const whole = x + count / unroll * unroll;
    while (next != whole) {
        const from = simd.opaquePointer(next);
        inline for (0..unroll) |i| {
            const difference = from[i] - mean;
            total += difference * difference;
        }
        next = from + unroll;
    }
    while (next != end) : (next += 1) {
        const difference = next[0] - mean;
        total += difference * difference;
    }
    return simd.sum(total);
}

inline fn scaleRow(x: [*]const F32x4, mean: F32x4, scale: F32x4, gain: [*]const F32x4, y: [*]F32x4, count: usize) void {
    var i: usize = 0;
    while (i + unroll <= count) : (i += unroll) {
        const from = simd.opaquePointer(x + i);
        const by = simd.opaquePointer(gain + i);
        const to = simd.opaquePointer(y + i);
        inline for (0..unroll) |j| to[j] = (from[j] - mean) * scale * by[j];
    }
    while (i < count) : (i += 1) y[i] = (x[i] - mean) * scale * gain[i];
}

const testing = std.testing;

test "rms and layer norm of a known row" {
    var x: [8]f32 align(16) = .{ 1, 2, 3, 4, 5, 6, 7, 8 };
    var gain: [8]f32 align(16) = .{ 1, 2, 1, 2, 1, 2, 1, 2 };
    var bias: [8]f32 align(16) = @splat(0.5);
    var y: [8]f32 align(16) = undefined;
    const matrices = .{ matrixOf(&x), matrixOf(&gain), matrixOf(&bias), matrixOf(&y) };
    rms(matrices[0], matrices[1], 0.5, matrices[3]); // mean square 25.5
    for (0..8) |i| try testing.expectApproxEqAbs(x[i] / @sqrt(26.0) * gain[i], y[i], 1e-6);
    layer(matrices[0], matrices[1], matrices[2], 0.75, matrices[3]); // mean 4.5, variance 5.25
    for (0..8) |i| try testing.expectApproxEqAbs((x[i] - 4.5) / @sqrt(6.0) * gain[i] + 0.5, y[i], 1e-6);
}

fn matrixOf(values: *align(16) [8]f32) Matrix {
    return .{ .base = @ptrCast(values), .stride_bytes = 32, .rows = 1, .columns = 8 };
}
