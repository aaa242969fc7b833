//! Operators on tensors of any rank. A tensor is rows of its last axis, each on a vector's boundary; which row comes
//! next is a matter of strides, so transposed, cut and repeated tensors are read where they lie. Each function computes
//! the rows `first`..`first + count` of its output; a row does not depend on which others are computed with it.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const functions = @import("functions.zig");
const elementwise = @import("elementwise.zig");
const F32x4 = simd.F32x4;

pub const Rows = struct { first: usize, count: usize };

/// A tensor at work: lengths and strides in bytes of its axes.
pub const View = struct {
    base: [*]u8,
    rank: usize,
    lengths: [format.rank_max]usize,
    strides: [format.rank_max]usize,

    pub fn columns(self: *const View) usize {
        return self.lengths[self.rank - 1];
    }

    pub fn rowCount(self: *const View) usize {
        var count: usize = 1;
        for (self.lengths[0 .. self.rank - 1]) |length| count *= length;
        return count;
    }

    /// Where row `index` (of all axes but the last) begins.
    pub fn row(self: *const View, index: usize) [*]u8 {
        var rest = index;
        var offset: usize = 0;
        var axis = self.rank - 1;
        while (axis > 0) {
            axis -= 1;
            offset += rest % self.lengths[axis] * self.strides[axis];
            rest /= self.lengths[axis];
        }
        return self.base + offset;
    }

    pub fn vectors(self: *const View, index: usize) [*]F32x4 {
        return @ptrCast(@alignCast(self.row(index)));
    }

    pub fn vectorCount(self: *const View) usize {
        return (self.columns() + 3) / 4;
    }

    /// Of the same lengths as `to`: axes that are missing or 1 are repeated.
    pub fn spread(self: *const View, to: *const View) View {
        var wide = to.*;
        wide.base = self.base;
        const missing = to.rank - self.rank;
        for (0..to.rank) |axis| {
            const repeated = axis < missing or self.lengths[axis - missing] != to.lengths[axis];
            wide.strides[axis] = if (repeated) 0 else self.strides[axis - missing];
        }
        return wide;
    }

    /// The axes before the last two, as many as in `to`; rows of this view begin a matrix each.
    fn batches(self: *const View, to: *const View) View {
        var matrices = self.*;
        matrices.rank -= 1;
        matrices.lengths = to.lengths;
        for (0..self.rank - 2) |axis| {
            if (self.lengths[axis] != to.lengths[axis]) matrices.strides[axis] = 0;
        }
        return matrices;
    }

    /// What is left of the axes after `start` along one of them.
    pub fn from(self: *const View, axis: usize, start: usize) View {
        var part = self.*;
        part.base += start * self.strides[axis];
        part.lengths[axis] -= start;
        return part;
    }

    /// One row as an operand: where the last axis is repeated, its one number.
    fn operand(self: *const View, index: usize) elementwise.Operand {
        const start = self.row(index);
        if (self.strides[self.rank - 1] != 0) return .{ .row = @ptrCast(@alignCast(start)) };
        const number: *const f32 = @ptrCast(@alignCast(start));
        return .{ .number = number.* };
    }
};

/// Copies numbers of `T`; `x` has the lengths of y, or more.
pub fn copy(comptime T: type, x: *const View, y: *const View, rows: Rows) void {
    var source = x.*;
    source.lengths = y.lengths;
    const stride = x.strides[x.rank - 1];
    for (rows.first..rows.first + rows.count) |index| {
        const from = source.row(index);
        const to: [*]T = @ptrCast(@alignCast(y.row(index)));
        for (0..y.columns()) |i| to[i] = @as(*const T, @ptrCast(@alignCast(from + i * stride))).*;
    }
}

/// Copies rows of x into a part of y.
pub fn place(comptime T: type, x: *const View, y: *const View, rows: Rows) void {
    var target = y.*;
    target.lengths = x.lengths;
    for (rows.first..rows.first + rows.count) |index| {
        const from: [*]const T = @ptrCast(@alignCast(x.row(index)));
        const to: [*]T = @ptrCast(@alignCast(target.row(index)));
        std.mem.copyForwards(T, to[0..x.columns()], from[0..x.columns()]);
    }
}

/// The same numbers in the same order, in rows of another length.
pub fn reshape(comptime T: type, x: *const View, y: *const View, rows: Rows) void {
    const width = x.columns();
    const start = rows.first * y.columns();
    var row = start / width;
    var column = start % width;
    var from: [*]const T = @ptrCast(@alignCast(x.row(row)));
    for (rows.first..rows.first + rows.count) |index| {
        const to: [*]T = @ptrCast(@alignCast(y.row(index)));
        for (0..y.columns()) |i| {
            if (column == width) {
                row += 1;
                column = 0;
                from = @ptrCast(@alignCast(x.row(row)));
            }
            to[i] = from[column];
            column += 1;
        }
    }
}

pub fn toFloat(x: *const View, y: *const View, rows: Rows) void {
    for (rows.first..rows.first + rows.count) |index| {
        const from: [*]const i64 = @ptrCast(@alignCast(x.row(index)));
        const to: [*]f32 = @ptrCast(@alignCast(y.row(index)));
        for (0..y.columns()) |i| to[i] = @floatFromInt(from[i]);
    }
}

pub fn unary(function: format.UnaryFunction, x: *const View, y: *const View, rows: Rows) void {
    switch (function) {
        inline else => |known| for (rows.first..rows.first + rows.count) |index| {
            const from = x.vectors(index);
            const to = y.vectors(index);
            for (0..y.vectorCount()) |i| to[i] = unaryOf(known, from[i]);
        },
    }
}

inline fn unaryOf(comptime function: format.UnaryFunction, x: F32x4) F32x4 {
    return switch (function) {
        .relu => simd.greater(x, simd.splat(0)),
        .negative => -x,
        .magnitude => simd.magnitude(x),
        .square_root => @sqrt(x),
        .reciprocal => simd.splat(1) / x,
        .exponential => functions.exp(x),
        .erf => functions.erf(x),
    };
}

pub fn binary(function: format.BinaryFunction, a: *const View, b: *const View, y: *const View, rows: Rows) void {
    const left = a.spread(y);
    const right = b.spread(y);
    switch (function) {
        inline else => |known| for (rows.first..rows.first + rows.count) |index| {
            const apply = struct {
                inline fn apply(one: F32x4, other: F32x4) F32x4 {
                    return binaryOf(known, one, other);
                }
            }.apply;
            elementwise.binaryOf(apply, left.operand(index), right.operand(index), y.vectors(index), y.vectorCount());
        },
    }
}

inline fn binaryOf(comptime function: format.BinaryFunction, a: F32x4, b: F32x4) F32x4 {
    return switch (function) {
        .add => a + b,
        .subtract => a - b,
        .multiply => a * b,
        .divide => a / b,
        .greater_of => simd.greater(a, b),
        .lesser_of => simd.lesser(a, b),
        .equal => truth(a == b),
        .less => truth(a < b),
        .less_or_equal => truth(a <= b),
    };
}

inline fn truth(lanes: @Vector(4, bool)) F32x4 {
    return @select(f32, lanes, simd.splat(1), simd.splat(0));
}

/// y = a where the condition is not 0, else b
pub fn where(condition: *const View, a: *const View, b: *const View, y: *const View, rows: Rows) void {
    const views = .{ condition.spread(y), a.spread(y), b.spread(y) };
    for (rows.first..rows.first + rows.count) |index| {
        const decide = views[0].operand(index);
        const one = views[1].operand(index);
        const other = views[2].operand(index);
        const to = y.vectors(index);
        for (0..y.vectorCount()) |i| to[i] = @select(f32, decide.at(i) != simd.splat(0), one.at(i), other.at(i));
    }
}

/// Makes one number of many along the axes of the mask.
pub fn reduce(function: format.Reduction, axes: u32, x: *const View, y: *const View, rows: Rows) void {
    switch (function) {
        inline else => |known| for (rows.first..rows.first + rows.count) |index| {
            Reducer(known).row(axes, x, y, index);
        },
    }
}

fn Reducer(comptime function: format.Reduction) type {
    return struct {
        fn row(axes: u32, x: *const View, y: *const View, index: usize) void {
            // The rows of x that go into this one: along the axes that are gone, from where the output's row begins.
            var others = x.*;
            var kept = x.*;
            for (0..x.rank - 1) |axis| {
                if (axes >> @intCast(axis) & 1 != 0) kept.lengths[axis] = 1 else others.lengths[axis] = 1;
            }
            others.base = kept.row(index);
            const count = others.rowCount();
            const to = y.vectors(index);
            if (axes >> @intCast(x.rank - 1) & 1 == 0) {
                for (0..y.vectorCount()) |i| to[i] = first();
                for (0..count) |other| {
                    const from = others.vectors(other);
                    for (0..y.vectorCount()) |i| to[i] = next(to[i], from[i]);
                }
                for (0..y.vectorCount()) |i| to[i] = last(to[i], count);
                return;
            }
            var total = first()[0];
            for (0..count) |other| total = joined(total, across(others.vectors(other), x.columns()));
            to[0] = last(simd.splat(total), count * x.columns());
        }

        /// What one row adds to the reduction.
        fn across(from: [*]const F32x4, columns: usize) f32 {
            var lanes = first();
            for (0..columns / 4) |i| lanes = next(lanes, from[i]);
            var total = lanes[0];
            inline for (1..4) |lane| total = joined(total, lanes[lane]);
            if (columns % 4 == 0) return total;
            const tail = next(first(), from[columns / 4]); // whose lanes beyond the columns are not looked at
            const flat: [4]f32 = tail;
            for (flat[0 .. columns % 4]) |value| total = joined(total, value);
            return total;
        }

        inline fn joined(a: f32, b: f32) f32 {
            return switch (function) {
                .sum, .mean, .length => a + b,
                .greatest => @max(a, b),
                .least => @min(a, b),
            };
        }

        inline fn first() F32x4 {
            return simd.splat(switch (function) {
                .sum, .mean, .length => 0,
                .greatest => -std.math.inf(f32),
                .least => std.math.inf(f32),
            });
        }

        inline fn next(total: F32x4, x: F32x4) F32x4 {
            return switch (function) {
                .sum, .mean => total + x,
                .length => total + x * x,
                .greatest => simd.greater(total, x),
                .least => simd.lesser(total, x),
            };
        }

        inline fn last(total: F32x4, count: usize) F32x4 {
            return switch (function) {
                .mean => total / simd.splat(@floatFromInt(count)),
                .length => @sqrt(total),
                else => total,
            };
        }
    };
}

/// e^(x - greatest) / their sum, row by row.
pub fn softmax(x: *const View, y: *const View, rows: Rows) void {
    const count = y.vectorCount();
    const columns = y.columns();
    for (rows.first..rows.first + rows.count) |index| {
        const from = x.vectors(index);
        const to = y.vectors(index);
        const flat: [*]f32 = @ptrCast(to);
        for (0..count) |i| to[i] = from[i];
        for (columns..4 * count) |i| flat[i] = -std.math.inf(f32);
        var most = to[0];
        for (1..count) |i| most = simd.greater(most, to[i]);
        const greatest = simd.splat(simd.greatest(most));
        for (0..count) |i| to[i] = functions.exp(to[i] - greatest);
        for (columns..4 * count) |i| flat[i] = 0;
        var total = simd.splat(0);
        for (0..count) |i| total += to[i];
        const factor = simd.splat(1 / simd.sum(total));
        for (0..count) |i| to[i] *= factor;
    }
}

/// a [..., m, k] times b [..., k, n], a row of a after the other.
pub fn batchMatmul(a: *const View, b: *const View, y: *const View, rows: Rows) void {
    const left = a.batches(y);
    const right = b.batches(y);
    const height = y.lengths[y.rank - 2];
    const inner = a.columns();
    for (rows.first..rows.first + rows.count) |index| {
        const batch = index / height;
        const factors: [*]const f32 = @ptrCast(@alignCast(left.row(batch) + index % height * a.strides[a.rank - 2]));
        const matrix = right.row(batch);
        const to = y.vectors(index);
        for (0..y.vectorCount()) |i| to[i] = simd.splat(0);
        for (0..inner) |k| {
            const factor = simd.splat(factors[k]);
            const from: [*]const F32x4 = @ptrCast(@alignCast(matrix + k * b.strides[b.rank - 2]));
            for (0..y.vectorCount()) |i| to[i] += factor * from[i];
        }
    }
}
