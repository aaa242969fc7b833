//! Functions of single elements, over rows.

const std = @import("std");
const simd = @import("simd.zig");
const Matrix = @import("matrix.zig").Matrix;
const F32x4 = simd.F32x4;

const Unary = fn (F32x4) callconv(.@"inline") F32x4;
const Binary = fn (F32x4, F32x4) callconv(.@"inline") F32x4;
const unroll = 4;

/// y = function(x)
pub fn unary(comptime function: Unary, x: Matrix, y: Matrix) void {
    for (0..y.rows) |row| unaryRow(function, x.vectors(row), y.vectors(row), y.vectorCount());
}

/// y = function(a, b); where b has one row, it goes with every row of a.
pub fn binary(comptime function: Binary, a: Matrix, b: Matrix, y: Matrix) void {
    for (0..y.rows) |row| {
        const other = b.vectors(if (b.rows == 1) 0 else row);
        binaryRow(function, a.vectors(row), other, y.vectors(row), y.vectorCount());
    }
}

/// y = function(a, b) in one row, where a row that holds one number for all is given by that.
pub fn binaryOf(comptime function: Binary, a: Operand, b: Operand, to: [*]F32x4, count: usize) void {
    for (0..count) |i| to[i] = function(a.at(i), b.at(i));
}

/// A row, or one number in its place.
pub const Operand = union(enum) {
    row: [*]const F32x4,
    number: f32,

    pub inline fn at(operand: Operand, index: usize) F32x4 {
        return switch (operand) {
            .row => |vectors| vectors[index],
            .number => |value| simd.splat(value),
        };
    }
};

pub fn copyRow(from: [*]const F32x4, to: [*]F32x4, count: usize) void {
    unaryRow(same, from, to, count);
}

inline fn same(x: F32x4) F32x4 {
    return x;
}

fn unaryRow(comptime function: Unary, from: [*]const F32x4, to: [*]F32x4, count: usize) void {
    var x = from;
    var y = to;
    const end = to + count;
    const whole = to + count / unroll * unroll;
    while (y != whole) {
        const source = simd.opaquePointer(x);
        const target = simd.opaquePointer(y);
        inline for (0..unroll) |i| target[i] = function(source[i]);
        x = source + unroll;
        y = target + unroll;
    }
    while (y != end) {
        y[0] = function(x[0]);
        x += 1;
        y += 1;
    }
}

fn binaryRow(comptime function: Binary, left: [*]const F32x4, right: [*]const F32x4, to: [*]F32x4, count: usize) void {
    var a = left;
    var b = right;
    var y = to;
    const end = to + count;
    const whole = to + count / unroll * unroll;
    while (y != whole) {
        const first = simd.opaquePointer(a);
        const second = simd.opaquePointer(b);
        const target = simd.opaquePointer(y);
        inline for (0..unroll) |i| target[i] = function(first[i], second[i]);
        a = first + unroll;
        b = second + unroll;
        y = target + unroll;
    }
    while (y != end) {
        y[0] = function(a[0], b[0]);
        a += 1;
        b += 1;
        y += 1;
    }
}

const functions = @import("functions.zig");
const testing = std.testing;

fn matrixOf(values: []align(16) f32, rows: usize, columns: usize) Matrix {
    return .{
        .base = @ptrCast(values.ptr),
        .stride_bytes = values.len / rows * 4,
        .rows = rows,
        .columns = columns,
    };
}

test "unary and binary over every count of vectors, with one row against many" {
    var a: [2 * 40]f32 align(16) = undefined;
    var b: [40]f32 align(16) = undefined;
    var y: [2 * 40]f32 align(16) = undefined;
    for (&a, 0..) |*value, i| value.* = @floatFromInt(i);
    for (&b, 0..) |*value, i| value.* = @floatFromInt(1000 * i);
    var columns: usize = 4;
    while (columns <= 36) : (columns += 4) {
        @memset(&y, -1);
        binary(functions.add, matrixOf(&a, 2, columns), matrixOf(&b, 1, columns), matrixOf(&y, 2, columns));
        for (0..2) |row| for (0..40) |i| {
            const want: f32 = if (i < columns) a[row * 40 + i] + b[i] else -1;
            try testing.expectEqual(want, y[row * 40 + i]);
        };
        unary(functions.sigmoid, matrixOf(&a, 2, columns), matrixOf(&y, 2, columns));
        try testing.expectEqual(functions.sigmoid(splatAt(a[40 + columns - 1]))[0], y[40 + columns - 1]);
    }
}

fn splatAt(value: f32) F32x4 {
    return @splat(value);
}
